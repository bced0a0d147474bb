//! Does what is about to be drawn say what it should?

use std::time::Instant;

use image::{GrayImage, Luma};
use secrecy::{ExposeSecret, SecretString};

use super::code::Code;
use super::engine::{self, Engine, Found};
use super::read::BUDGET;
use super::render::{self, Cells, Layout, Palette};

/// Pixels of a cell for the check: a module is four pixels wide and high, which is small, but enough.
const CELL: (u32, u32) = (4, 8);

/// Draws the cells of `code`, looks at them as a phone would, and compares with `payload`. To be asked before a code is
/// first shown: a wrong code costs a person a scan. Costs about a millisecond of processor time.
pub fn verify(code: &Code, payload: &SecretString) -> bool {
    let layout = Layout::Half;
    let quiet = 4;
    let (columns, rows) = layout.area(code.size(), quiet);
    let placement = render::Placement { layout, quiet, columns, rows };
    let picture = raster(&render::cells(code, placement, Palette::default(), false), CELL.0, CELL.1);
    let deadline = Instant::now() + BUDGET;
    [Engine::Rxing, Engine::Rqrr]
        .into_iter()
        .find_map(|engine| engine::decode(engine, &picture, deadline))
        .is_some_and(|found| matches!(found, Found::Text(text) if text == payload.expose_secret()))
}

/// `cells` as a terminal with cells of `width` × `height` pixels draws them, black on white. The lower half of a cell
/// of odd height is the smaller one.
pub fn raster(cells: &Cells, width: u32, height: u32) -> GrayImage {
    let mut picture =
        GrayImage::from_pixel(u32::from(cells.columns()) * width, u32::from(cells.rows()) * height, Luma([255]));
    for (row, line) in (0..).zip(cells.lines()) {
        for (column, cell) in (0..).zip(line) {
            for y in 0..height {
                let dark = if y < height.div_ceil(2) { cell.upper } else { cell.lower };
                for x in 0..width {
                    if dark && let Some(pixel) = picture.get_pixel_mut_checked(column * width + x, row * height + y) {
                        *pixel = Luma([0]);
                    }
                }
            }
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_yes_to_its_own_and_no_to_another() {
        let payload = SecretString::from("http://weixin.qq.com/x/SAOMA-0123456789ab");
        let code = Code::encode(&payload).unwrap();
        assert!(verify(&code, &payload));
        assert!(!verify(&code, &SecretString::from("http://weixin.qq.com/x/SAOMA-0123456789ac")));
    }

    #[test]
    fn holds_for_every_kind_of_text() {
        for text in
            ["0", "12345678901234567890", "ABC-123", "扫码登录", "é", "日本語テキスト", "a\u{0}b", &"x".repeat(900)]
        {
            let payload = SecretString::from(text);
            assert!(verify(&Code::encode(&payload).unwrap(), &payload), "{text}");
        }
    }
}
