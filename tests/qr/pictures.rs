//! Codes as pictures: what a terminal makes of the bytes, to the pixel, and two decoders that read it.

use std::sync::Arc;

use crate::property::cases;
use image::GrayImage;
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget as _;
use saoma::qr::Code;
use saoma::qr::render::Palette;
use saoma::qr::render::picture::{Picture, Place, Protocol, fit};

use crate::cells::{payload, rqrr, rxing};

const PROTOCOLS: [Protocol; 3] = [Protocol::Kitty, Protocol::Iterm2, Protocol::Sixel];

fn base64(text: &[u8]) -> Vec<u8> {
    let value = |sign: u8| match sign {
        b'A'..=b'Z' => sign - b'A',
        b'a'..=b'z' => sign - b'a' + 26,
        b'0'..=b'9' => sign - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        other => panic!("{other} is not base64"),
    };
    let mut bytes = Vec::new();
    for four in text.chunks(4) {
        assert_eq!(four.len(), 4, "padded");
        let signs: Vec<u8> = four.iter().filter(|sign| **sign != b'=').map(|sign| value(*sign)).collect();
        let all = (0..4).fold(0_u32, |all, at| all << 6 | u32::from(signs.get(at).copied().unwrap_or(0)));
        bytes.extend(&all.to_be_bytes()[1..signs.len()]);
    }
    bytes
}

fn png(bytes: &[u8]) -> GrayImage {
    image::load_from_memory_with_format(bytes, image::ImageFormat::Png).unwrap().to_luma8()
}

/// kitty's protocol: commands with keys and pieces of a PNG.
fn kitty(bytes: &[u8]) -> GrayImage {
    let text = std::str::from_utf8(bytes).unwrap();
    let commands: Vec<&str> = text.split_terminator("\x1b\\").map(|one| one.strip_prefix("\x1b_G").unwrap()).collect();
    let mut data = Vec::new();
    for (at, command) in commands.iter().enumerate() {
        let (keys, piece) = command.split_once(';').unwrap();
        let keys: Vec<&str> = keys.split(',').collect();
        assert!(piece.len() <= 4096);
        let last = at + 1 == commands.len();
        assert!(keys.contains(&if last { "m=0" } else { "m=1" }) && (last || piece.len() % 4 == 0));
        for key in ["a=T", "f=100", "C=1"] {
            assert_eq!(keys.contains(&key), at == 0, "{command}");
        }
        data.extend_from_slice(piece.as_bytes());
    }
    png(&base64(&data))
}

fn iterm2(bytes: &[u8]) -> GrayImage {
    let text = std::str::from_utf8(bytes).unwrap();
    let (keys, data) =
        text.strip_prefix("\x1b]1337;File=").unwrap().strip_suffix('\x07').unwrap().split_once(':').unwrap();
    let data = base64(data.as_bytes());
    assert!(keys.contains("inline=1") && keys.contains(&format!("size={};", data.len())), "{keys}");
    png(&data)
}

/// A sixel picture on a grey ground; pixels that were not drawn stay grey.
fn sixel(bytes: &[u8]) -> GrayImage {
    let text = std::str::from_utf8(bytes).unwrap().strip_prefix("\x1bP0;1;0q").unwrap().strip_suffix("\x1b\\").unwrap();
    let mut rest = text.strip_prefix('"').unwrap();
    let number = |rest: &mut &str| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, more) = rest.split_at(end);
        *rest = more;
        number.parse::<u32>().unwrap()
    };
    let numbers = |rest: &mut &str| {
        let mut all = vec![number(rest)];
        while let Some(more) = rest.strip_prefix(';') {
            *rest = more;
            all.push(number(rest));
        }
        all
    };
    let raster = numbers(&mut rest);
    let [1, 1, width, height] = raster[..] else { panic!("{raster:?}") };
    let mut picture = GrayImage::from_pixel(width, height, image::Luma([128]));
    let mut colours = [0_u8; 256];
    let (mut colour, mut x, mut y, mut count) = (0, 0, 0, 1);
    while let Some(sign) = rest.chars().next() {
        rest = rest.get(1..).unwrap_or_default();
        match sign {
            '#' => match numbers(&mut rest)[..] {
                [register] => colour = register as usize,
                [register, 2, red, green, blue] => {
                    assert!(red == green && green == blue && red <= 100);
                    colours[register as usize] = u8::try_from(red * 255 / 100).unwrap();
                }
                ref other => panic!("{other:?}"),
            },
            '!' => count = number(&mut rest),
            '$' => x = 0,
            '-' => (x, y) = (0, y + 6),
            '?'..='~' => {
                let bits = u32::from(sign) - u32::from('?');
                for _ in 0..count {
                    for row in (0..6).filter(|row| bits >> row & 1 == 1) {
                        picture.put_pixel(x, y + row, image::Luma([colours[colour]]));
                    }
                    x += 1;
                }
                count = 1;
            }
            other => panic!("{other:?}"),
        }
    }
    picture
}

fn shown(picture: &Picture) -> GrayImage {
    let bytes = picture.bytes().unwrap();
    match picture.protocol() {
        Protocol::Kitty => kitty(&bytes),
        Protocol::Iterm2 => iterm2(&bytes),
        Protocol::Sixel => sixel(&bytes),
    }
}

/// That the pixels are the code's modules in exact squares, with its quiet zone, black on white or the other way round.
fn exact(code: &Code, place: Place, picture: &GrayImage, what: &str, invert: bool) {
    let side = u32::from(code.size()) * place.module;
    let (left, top) = ((picture.width() - side) / 2, (picture.height() - side) / 2);
    let quiet = u32::from(place.quiet) * place.module;
    assert!(left >= quiet && top >= quiet, "{what}: a quiet zone of {left}×{top} pixels, not {quiet}");
    let module = |pixel: u32, before: u32| {
        i32::try_from((i64::from(pixel) - i64::from(before)).div_euclid(i64::from(place.module))).unwrap()
    };
    for (x, y, pixel) in picture.enumerate_pixels() {
        let dark = code.is_dark(module(x, left), module(y, top)) != invert;
        assert_eq!(pixel.0, [if dark { 0 } else { 255 }], "{what}: {x},{y}");
    }
}

fn both_read(version: usize, protocol: Protocol, room: (u16, u16), cell: (u16, u16)) {
    let text = payload(version);
    let code = Arc::new(Code::encode(&text.as_str().into()).unwrap());
    let Ok(place) = fit(code.size(), room.0, room.1, cell) else { return };
    let picture = Picture::new(Arc::clone(&code), protocol, place, (3, 2), Palette::Indexed, false);
    let pixels = shown(&picture);
    let what = format!("version {version}, {protocol:?}, {room:?}, {place:?}");
    let whole = (u32::from(place.columns) * u32::from(cell.0), u32::from(place.rows) * u32::from(cell.1));
    let (width, height) = pixels.dimensions();
    assert!(width == whole.0 && height <= whole.1 && whole.1 - height < 6, "{what}: {width}×{height} of {whole:?}");
    assert!(protocol == Protocol::Sixel || height == whole.1, "{what}: whole cells");
    exact(&code, place, &pixels, &what, false);
    let mut seen = GrayImage::from_pixel(width + 60, height + 60, image::Luma([20]));
    image::imageops::replace(&mut seen, &pixels, 30, 30);
    assert_eq!(rxing(&seen).as_deref(), Some(text.as_str()), "rxing: {what}");
    assert_eq!(rqrr(&seen).as_deref(), Some(text.as_str()), "rqrr: {what}");
}

#[test]
fn two_decoders_read_every_version_and_protocol() {
    for version in 1..=10 {
        for protocol in PROTOCOLS {
            both_read(version, protocol, (37, 20), (9, 18));
            both_read(version, protocol, (60, 30), (7, 15));
        }
    }
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn two_decoders_read_every_cell_and_room(
        version in 1_usize..=6,
        protocol in prop::sample::select(PROTOCOLS.to_vec()),
        columns in 20_u16..=80,
        rows in 6_u16..=40,
        cell in prop::sample::select(vec![(5_u16, 10_u16), (6, 13), (6, 18), (7, 14), (8, 16), (9, 18), (10, 22)]),
    ) {
        both_read(version, protocol, (columns, rows), cell);
    }

    #[test]
    fn a_place_is_whole_or_told_what_is_missing(
        size in prop::sample::select((1_u16..=40).map(|version| 17 + 4 * version).collect::<Vec<_>>()),
        columns in 0_u16..=400,
        rows in 0_u16..=200,
        cell in (1_u16..=40, 1_u16..=80),
    ) {
        match fit(size, columns, rows, cell) {
            Ok(place) => {
                prop_assert!(place.columns <= columns && place.rows <= rows && place.quiet >= 1 && place.module >= 3);
                let side = (u32::from(size) + 2 * u32::from(place.quiet)) * place.module;
                let (wide, high) = (u32::from(cell.0), u32::from(cell.1));
                let (width, height) = (u32::from(place.columns) * wide, u32::from(place.rows) * high);
                prop_assert!(side <= width && side <= height - height % 6, "{:?}", place);
                prop_assert!(width - side < wide && height - side < high + 6, "no cell too many: {:?}", place);
            }
            Err(missing) => {
                prop_assert!(missing.columns > 0 || missing.rows > 0);
                // Whole cells may have room for a wider quiet zone than was asked for.
                let quiet = |columns, rows| fit(size, columns, rows, cell).map_or(0, |place| place.quiet);
                let (enough, high_enough) = (columns + missing.columns, rows + missing.rows);
                prop_assert!(quiet(enough, high_enough) >= 1);
                prop_assert!(missing.columns == 0 || quiet(enough - 1, u16::MAX) == 0, "a column too many");
                prop_assert!(missing.rows == 0 || quiet(u16::MAX, high_enough - 1) == 0, "a row too many");
            }
        }
    }
}

/// Where half blocks have a module a column, a picture has it too.
#[test]
fn a_picture_is_as_large_as_the_room_allows() {
    let at = |columns, rows, cell| fit(29, columns, rows, cell).map(|place| (place.quiet, place.module));
    assert_eq!(at(37, 20, (9, 18)), Ok((4, 9)));
    assert_eq!(at(37, 19, (9, 18)), Ok((4, 9)));
    assert_eq!(at(200, 60, (9, 18)), Ok((4, 18)), "not endlessly");
    assert_eq!(at(30, 12, (9, 18)), Ok((4, 5)), "where half blocks do not fit");
    assert_eq!(at(40, 10, (9, 18)), Ok((2, 5)));
    assert_eq!(at(40, 9, (9, 18)), Ok((1, 5)));
    assert!(at(40, 8, (9, 18)).is_err());
}

#[test]
fn a_version_3_code_is_few_bytes() {
    // 47 bytes, as in qr.md §3.
    let code = Arc::new(Code::encode(&"http://weixin.qq.com/x/SAOMA-0123456789abcdefgh".into()).unwrap());
    for (protocol, most) in [(Protocol::Kitty, 2200), (Protocol::Iterm2, 2200), (Protocol::Sixel, 3700)] {
        for (cell, room) in [((9, 18), (37, 20)), ((18, 36), (37, 20)), ((9, 18), (100, 60))] {
            let place = fit(code.size(), room.0, room.1, cell).unwrap();
            let picture = Picture::new(Arc::clone(&code), protocol, place, (0, 0), Palette::Indexed, false);
            let bytes = picture.bytes().unwrap().len();
            println!("v3, {}, {} pixels a module: {bytes} bytes", protocol.name(), place.module);
            assert!(bytes <= most * place.module as usize / 9, "{protocol:?}: {bytes} bytes at {place:?}");
        }
    }
}

#[test]
fn an_inverted_picture_is_light_on_dark_and_all_hide_their_modules() {
    let code = Arc::new(Code::encode(&"http://weixin.qq.com/x/SAOMA-0123456789ab".into()).unwrap());
    let place = fit(code.size(), 40, 20, (8, 17)).unwrap();
    for protocol in PROTOCOLS {
        let picture = Picture::new(Arc::clone(&code), protocol, place, (0, 0), Palette::Indexed, true);
        exact(&code, place, &shown(&picture), protocol.name(), true);
        let said = format!("{picture:?}");
        assert!(said.starts_with("Picture(") && said.len() < 80, "{said}");
    }
}

#[test]
fn its_cells_are_blank_and_anything_on_them_is_noticed() {
    let code = Arc::new(Code::encode(&"http://weixin.qq.com/x/SAOMA-0123456789ab".into()).unwrap());
    let place = fit(code.size(), 37, 20, (9, 18)).unwrap();
    let picture = Picture::new(Arc::clone(&code), Protocol::Sixel, place, (3, 2), Palette::Indexed, false);
    let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
    buffer.set_string(0, 5, "x".repeat(80), ratatui::style::Style::new());
    assert!(!picture.has_its_cells(&buffer));
    (&picture).render(buffer.area, &mut buffer);
    assert!(picture.has_its_cells(&buffer));
    let area = picture.area();
    for at in area.positions() {
        assert_eq!((buffer[at].symbol(), buffer[at].bg), (" ", ratatui::style::Color::Indexed(231)));
    }
    buffer[(area.right() - 1, area.bottom() - 1)].set_symbol("x");
    assert!(!picture.has_its_cells(&buffer));
    let mut small = Buffer::empty(Rect::new(0, 0, 20, 10));
    (&picture).render(small.area, &mut small);
    assert_eq!(small, Buffer::empty(small.area), "no piece of it");
    assert!(!picture.has_its_cells(&small));
}
