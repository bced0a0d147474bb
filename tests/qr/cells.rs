//! What a terminal shows: every version, layout and quiet zone, rasterised and read by two decoders that know nothing
//! of each other.

use crate::property::cases;
use image::GrayImage;
use proptest::prelude::*;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use ratatui::widgets::Widget;
use saoma::qr::render::{Layout, Palette, cells, fit};
use saoma::qr::verify::raster;
use saoma::qr::{Code, Ec};

/// The bytes that versions 1 to 10 hold at EC L (ISO/IEC 18004 table 7).
const HOLDS: [usize; 10] = [17, 32, 53, 78, 106, 134, 154, 192, 230, 271];

pub(crate) fn payload(version: usize) -> String {
    let mut text = String::from("http://x/SAOMA-");
    while text.len() < HOLDS[version - 1] {
        text.push(char::from(b'a' + (text.len() * 7 % 26) as u8));
    }
    text
}

/// rxing through its front door, not the way the product uses it.
pub(crate) fn rxing(picture: &GrayImage) -> Option<String> {
    let (width, height) = picture.dimensions();
    rxing::helpers::detect_in_luma(picture.as_raw().clone(), width, height, Some(rxing::BarcodeFormat::QR_CODE))
        .ok()
        .map(|result| result.getText().to_owned())
}

pub(crate) fn rqrr(picture: &GrayImage) -> Option<String> {
    let (width, height) = picture.dimensions();
    rqrr::PreparedImage::prepare_from_greyscale(width as usize, height as usize, |x, y| {
        picture.get_pixel(x as u32, y as u32).0[0]
    })
    .detect_grids()
    .iter()
    .find_map(|grid| grid.decode().ok())
    .map(|(_, text)| text)
}

/// The pixels of a ratatui buffer, from nothing but its symbols, colours and reverse video, on a dark desktop.
fn photograph(buffer: &Buffer, (width, height): (u32, u32), margin: u32) -> GrayImage {
    let grey = |color: Color| match color {
        Color::Indexed(16) | Color::Black => 0,
        Color::Indexed(231) => 255,
        Color::Gray => 229,
        Color::Reset => 20,
        other => panic!("{other:?} is no colour of a code"),
    };
    let area = buffer.area;
    let mut picture = GrayImage::from_pixel(
        u32::from(area.width) * width + 2 * margin,
        u32::from(area.height) * height + 2 * margin,
        image::Luma([20]),
    );
    for row in 0..area.height {
        for column in 0..area.width {
            let cell = &buffer[(column, row)];
            let (mut front, mut back) = (grey(cell.fg), grey(cell.bg));
            if cell.modifier.contains(Modifier::REVERSED) {
                (front, back) = (back, front);
            }
            for y in 0..height {
                let lower = match cell.symbol() {
                    " " => back,
                    "▄" => front,
                    other => panic!("{other:?} is no glyph of a code"),
                };
                let grey = if y < height / 2 { back } else { lower };
                for x in 0..width {
                    let (px, py) = (u32::from(column) * width + x, u32::from(row) * height + y);
                    picture.put_pixel(px + margin, py + margin, image::Luma([grey]));
                }
            }
        }
    }
    picture
}

/// Draws `code` in a terminal of exactly the smallest size for a quiet zone of `quiet`, with a few columns to spare.
fn screen(code: &Code, layout: Layout, quiet: u16, palette: Palette) -> Buffer {
    let (columns, rows) = layout.area(code.size(), quiet);
    let placement = fit(code.size(), columns, rows, layout).unwrap();
    assert_eq!((placement.quiet, placement.columns, placement.rows), (quiet, columns, rows));
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
    (&cells(code, placement, palette, false)).render(buffer.area, &mut buffer);
    buffer
}

fn both_read(version: usize, layout: Layout, quiet: u16, cell: (u32, u32), palette: Palette) {
    let text = payload(version);
    let code = Code::encode(&text.as_str().into()).unwrap();
    assert_eq!((usize::from(code.version()), code.ec()), (version, Ec::L), "{text}");
    let picture = photograph(&screen(&code, layout, quiet, palette), cell, 40);
    let what = format!("version {version}, {layout:?}, quiet {quiet}, cell {cell:?}, {palette:?}");
    assert_eq!(rxing(&picture).as_deref(), Some(text.as_str()), "rxing: {what}");
    assert_eq!(rqrr(&picture).as_deref(), Some(text.as_str()), "rqrr: {what}");
}

#[test]
fn two_decoders_read_every_version_layout_and_quiet_zone() {
    for version in 1..=10 {
        for layout in [Layout::Half, Layout::Wide] {
            for quiet in [4, 2, 1] {
                both_read(version, layout, quiet, (6, 12), Palette::Indexed);
            }
        }
        both_read(version, Layout::Wide3, 1, (4, 12), Palette::Sixteen);
    }
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn two_decoders_read_every_cell_size(
        version in 1_usize..=6,
        quiet in prop::sample::select(vec![4_u16, 2, 1]),
        layout in prop::sample::select(vec![Layout::Half, Layout::Wide]),
        cell in prop::sample::select(vec![(5_u32, 10_u32), (6, 13), (7, 14), (8, 16), (9, 18), (10, 22)]),
        sixteen in any::<bool>(),
    ) {
        both_read(version, layout, quiet, cell, if sixteen { Palette::Sixteen } else { Palette::Indexed });
    }

    #[test]
    fn a_place_is_whole_or_told_what_is_missing(
        size in prop::sample::select((1_u16..=40).map(|version| 17 + 4 * version).collect::<Vec<_>>()),
        columns in 0_u16..=400,
        rows in 0_u16..=200,
        layout in prop::sample::select(vec![Layout::Half, Layout::Wide, Layout::Wide3]),
    ) {
        match fit(size, columns, rows, layout) {
            Ok(place) => {
                prop_assert!(place.columns <= columns && place.rows <= rows && place.quiet >= 1);
                prop_assert_eq!((place.columns, place.rows), layout.area(size, place.quiet));
            }
            Err(missing) => {
                prop_assert!(missing.columns > 0 || missing.rows > 0);
                let place = fit(size, columns + missing.columns, rows + missing.rows, layout);
                prop_assert_eq!(place.map(|place| place.quiet), Ok(1));
            }
        }
    }

    #[test]
    fn any_text_survives_encoding_and_drawing(text in "\\PC{1,60}") {
        let payload = secrecy::SecretString::from(text.as_str());
        let code = Code::encode(&payload).unwrap();
        prop_assert!(saoma::qr::verify(&code, &payload), "{:?}", text);
    }
}

/// The picture that the check before a code is first shown looks at is the one a terminal gives.
#[test]
fn the_checks_picture_is_the_terminals() {
    let code = Code::encode(&"http://weixin.qq.com/x/SAOMA-0123456789ab".into()).unwrap();
    for layout in [Layout::Half, Layout::Wide, Layout::Wide3] {
        let (columns, rows) = layout.area(code.size(), 2);
        let drawn = cells(&code, fit(code.size(), columns, rows, layout).unwrap(), Palette::Indexed, false);
        assert_eq!(
            raster(&drawn, 4, 8),
            photograph(&screen(&code, layout, 2, Palette::Indexed), (4, 8), 0),
            "{layout:?}"
        );
    }
}

/// What ratatui writes for a code that appears, and for one that did not change (issue 3's goals).
#[test]
fn a_version_3_code_is_few_bytes_through_ratatui() {
    for (quiet, most) in [(4, 2800), (2, 2600), (1, 2400)] {
        // 47 bytes, as in qr.md §3.
        let code = Code::encode(&"http://weixin.qq.com/x/SAOMA-0123456789abcdefgh".into()).unwrap();
        assert_eq!(code.version(), 3);
        let (columns, rows) = Layout::Half.area(code.size(), quiet);
        let place = fit(code.size(), columns, rows, Layout::Half).unwrap();
        let drawn = cells(&code, place, Palette::Indexed, false);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
        let before = buffer.clone();
        (&drawn).render(Rect::new(43, 4, columns, rows), &mut buffer);
        let mut bytes = Vec::new();
        CrosstermBackend::new(&mut bytes).draw(before.diff(&buffer).into_iter()).unwrap();
        println!("v3, half, quiet {quiet}: {} bytes through ratatui", bytes.len());
        assert!(bytes.len() <= most, "quiet {quiet}: {} bytes", bytes.len());

        let shown = buffer.clone();
        (&drawn).render(Rect::new(43, 4, columns, rows), &mut buffer);
        assert_eq!(shown.diff(&buffer).len(), 0);
    }
}
