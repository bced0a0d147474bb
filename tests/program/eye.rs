//! A phone's camera: the screen's cells as a picture, and two decoders that have to agree on what it says.

use image::{GrayImage, ImageFormat, Luma};
use secrecy::ExposeSecret as _;

/// Pixels of a cell: a half block is square.
const WIDTH: u32 = 4;
const HEIGHT: u32 = 8;

/// How light a colour is, in a dark terminal.
fn luma(color: vt100::Color, foreground: bool) -> u8 {
    match color {
        vt100::Color::Default => {
            if foreground {
                204
            } else {
                24
            }
        }
        vt100::Color::Rgb(r, g, b) => {
            u8::try_from((u32::from(r) * 299 + u32::from(g) * 587 + u32::from(b) * 114) / 1000).unwrap()
        }
        vt100::Color::Idx(index) => match index {
            0 => 0,
            7 => 192,
            15 | 231 => 255,
            1..=14 => 120,
            16..=230 => {
                let cube = index - 16;
                let level = |step: u8| if step == 0 { 0 } else { u32::from(55 + 40 * step) };
                let (r, g, b) = (level(cube / 36), level(cube / 6 % 6), level(cube % 6));
                u8::try_from((r * 299 + g * 587 + b * 114) / 1000).unwrap()
            }
            232..=255 => 8 + 10 * (index - 232),
        },
    }
}

/// What a camera sees: colours and reverse video as they are, blocks as blocks, letters as smudges.
pub(crate) fn picture(screen: &vt100::Screen) -> GrayImage {
    let (rows, columns) = crate::kit::dimensions(screen);
    let mut picture = GrayImage::new(u32::from(columns) * WIDTH, u32::from(rows) * HEIGHT);
    for row in 0..rows {
        for column in 0..columns {
            let Some(cell) = screen.cell(row, column) else { continue };
            let (mut ink, mut paper) = (luma(cell.fgcolor(), true), luma(cell.bgcolor(), false));
            if cell.inverse() {
                (ink, paper) = (paper, ink);
            }
            for y in 0..HEIGHT {
                for x in 0..WIDTH {
                    let is_ink = match cell.contents() {
                        "" | " " => false,
                        "█" => true,
                        "▄" => y >= HEIGHT / 2,
                        "▀" => y < HEIGHT / 2,
                        _ => (1..WIDTH).contains(&x) && (2..HEIGHT - 1).contains(&y) && (x + y) % 2 == 0,
                    };
                    let pixel = Luma([if is_ink { ink } else { paper }]);
                    picture.put_pixel(u32::from(column) * WIDTH + x, u32::from(row) * HEIGHT + y, pixel);
                }
            }
        }
    }
    picture
}

/// What the code on the screen says, if there is one that both decoders read.
pub(crate) fn code(screen: &vt100::Screen) -> Option<String> {
    has_blocks(screen).then(|| read(&picture(screen)))?
}

/// The same for a code that is light on dark.
pub(crate) fn inverted_code(screen: &vt100::Screen) -> Option<String> {
    if !has_blocks(screen) {
        return None;
    }
    let mut picture = picture(screen);
    image::imageops::invert(&mut picture);
    read(&picture)
}

/// Without them there is nothing to look for: looking costs more than everything else here.
fn has_blocks(screen: &vt100::Screen) -> bool {
    screen.contents().matches('▄').count() > 20
}

fn read(picture: &GrayImage) -> Option<String> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let at = |x: usize, y: usize| picture.get_pixel(u32::try_from(x).unwrap(), u32::try_from(y).unwrap()).0[0];
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, at);
    let first = prepared.detect_grids().iter().find_map(|grid| grid.decode().ok())?.1;
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).unwrap();
    let second = saoma::qr::read(png.get_ref()).ok()?.expose_secret().to_owned();
    assert_eq!(first, second, "two decoders disagree");
    Some(first)
}
