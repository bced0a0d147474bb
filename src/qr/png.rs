//! Modules → a picture, for a phone that is elsewhere.

use std::io::Cursor;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, GrayImage, ImageEncoder, Luma};

use super::code::Code;

/// Pixels of a module's side.
const MODULE: u32 = 8;
/// Light modules around the code.
const QUIET: u32 = 4;

/// A PNG file could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the code could not be made into a PNG")]
pub struct PngError;

/// `code` as the bytes of a greyscale PNG with a quiet zone of 4, eight pixels a module. The bytes are as secret as the
/// payload: whoever writes them to a file makes it 0600 and removes it when the code dies.
///
/// # Errors
/// [`PngError`] when the encoder fails, which it has no reason to.
pub fn png(code: &Code) -> Result<Vec<u8>, PngError> {
    let side = (u32::from(code.size()) + 2 * QUIET) * MODULE;
    let module = |pixel: u32| i32::try_from(pixel / MODULE).unwrap_or(i32::MAX) - QUIET.cast_signed();
    let picture =
        GrayImage::from_fn(side, side, |x, y| Luma([if code.is_dark(module(x), module(y)) { 0 } else { 255 }]));
    let mut bytes = Vec::new();
    PngEncoder::new(Cursor::new(&mut bytes))
        .write_image(picture.as_raw(), side, side, ExtendedColorType::L8)
        .map_err(|_error| PngError)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use secrecy::{ExposeSecret, SecretString};

    use super::*;

    #[test]
    fn reads_back() {
        let payload = SecretString::from("http://weixin.qq.com/x/SAOMA-0123456789ab");
        let bytes = png(&Code::encode(&payload).unwrap()).unwrap();
        assert_eq!(super::super::read(&bytes).unwrap().expose_secret(), payload.expose_secret());
    }
}
