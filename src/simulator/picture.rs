//! Pictures of codes, as the gateway serves them.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, ImageFormat, Luma};

use super::knobs::Picture;

/// Pixels per module and the quiet zone in modules: a 37-module code (version 3 is 29, plus the quiet zone) becomes
/// 444 pixels, close to the 441 of the one real picture that is documented (protocol.md §5).
const SCALE: u32 = 12;
const QUIET: u32 = 4;

/// A picture with the payload in it. Gives the bytes and their MIME type; empty bytes if it cannot be made.
pub(super) fn of(payload: &str, format: Picture) -> (Vec<u8>, &'static str) {
    let Ok(code) = qrcode::QrCode::with_error_correction_level(payload, qrcode::EcLevel::L) else {
        return (Vec::new(), "image/png");
    };
    let modules = u32::try_from(code.width()).unwrap_or(0);
    let dark = code.to_colors();
    let side = (modules + 2 * QUIET) * SCALE;
    let picture = GrayImage::from_fn(side, side, |x, y| {
        let (column, row) = ((x / SCALE).checked_sub(QUIET), (y / SCALE).checked_sub(QUIET));
        let color = match (column, row) {
            (Some(column), Some(row)) if column < modules && row < modules => {
                dark.get((row * modules + column) as usize).copied().unwrap_or(qrcode::Color::Light)
            }
            _ => qrcode::Color::Light,
        };
        Luma([if color == qrcode::Color::Dark { 0 } else { 255 }])
    });
    encode(&picture, format)
}

/// A grey picture with a cross and no code: what is left of a code that is over.
pub(super) fn expired(format: Picture) -> (Vec<u8>, &'static str) {
    let picture = GrayImage::from_fn(444, 444, |x, y| {
        let cross = x.abs_diff(y) < 6 || (x + y).abs_diff(443) < 6;
        Luma([if cross { 150 } else { 225 }])
    });
    encode(&picture, format)
}

fn encode(picture: &GrayImage, format: Picture) -> (Vec<u8>, &'static str) {
    let mut bytes = Vec::new();
    let (done, mime) = match format {
        Picture::Png => (picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png), "image/png"),
        Picture::Jpeg => (picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 80)), "image/jpeg"),
    };
    if done.is_err() {
        bytes.clear();
    }
    (bytes, mime)
}
