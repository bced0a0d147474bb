//! Picture → payload.
//!
//! The picture comes over plain HTTP from wherever the gateway points, so nothing about it is believed: only PNG and
//! JPEG by their first bytes, at most 4096×4096 pixels, memory bounded before anything is unpacked, and the tries end
//! when their time is over.

use std::io::Cursor;
use std::time::{Duration, Instant};

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use secrecy::SecretString;

pub use super::variants::Stage;

use super::engine::{self, Found};

/// Longest side of a picture that is read at all, in pixels.
pub const MAX_SIDE: u32 = 4096;
/// What unpacking a picture may take, in bytes: 4096×4096 in eight-bit RGBA and some room beside it.
const MAX_ALLOC: u64 = 96 * 1024 * 1024;
/// Pictures with a longer side are made smaller first. A login code fills its picture, so that even a version 40 keeps
/// five pixels a module, and the time a hostile picture can cost falls with its area.
const WORKING_SIDE: u32 = 1000;
/// No QR code is smaller than version 1's 21 modules.
const MIN_SIDE: u32 = 21;
/// When [`read`] stops trying. A picture that reads takes about a millisecond.
pub const BUDGET: Duration = Duration::from_secs(2);

/// Why a picture gave no payload. Says nothing of the picture's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ReadError {
    /// The first bytes are neither a PNG's nor a JPEG's.
    #[error("neither a PNG nor a JPEG")]
    NotAnImage,
    /// More pixels, or more memory, than a QR code can need.
    #[error("the picture is too large")]
    TooLarge,
    /// It begins like a picture, but cannot be unpacked.
    #[error("the picture is damaged")]
    Damaged,
    /// A picture in which no QR code could be read.
    #[error("no QR code could be read in the picture")]
    NoCode,
    /// A QR code without content.
    #[error("the QR code is empty")]
    Empty,
    /// A QR code whose content is not UTF-8.
    #[error("the QR code's content is not text")]
    NotText,
    /// The time was over before every try was made.
    #[error("reading the picture took too long")]
    OutOfTime,
}

/// A payload, and which try read it.
#[derive(Debug)]
pub struct Reading {
    /// What the code says.
    pub payload: SecretString,
    /// Which try read it.
    pub stage: Stage,
}

/// A picture in greys, as the stages want it.
pub(super) struct Picture {
    /// Transparency on white.
    pub(super) on_white: GrayImage,
    /// Transparency on black; only where there is any.
    pub(super) on_black: Option<GrayImage>,
}

/// Reads the payload of the QR code in `bytes`, a PNG or JPEG file, within [`BUDGET`]. Costs processor time: not for a
/// thread that draws. What the payload means is not looked at: gateways' hosts vary.
///
/// # Errors
/// [`ReadError`] says what the picture lacks.
pub fn read(bytes: &[u8]) -> Result<SecretString, ReadError> {
    read_within(bytes, BUDGET).map(|reading| reading.payload)
}

/// [`read`] with another limit on time, and with the stage that answered. At least one try is always made.
///
/// # Errors
/// As [`read`].
pub fn read_within(bytes: &[u8], budget: Duration) -> Result<Reading, ReadError> {
    let start = Instant::now();
    let deadline = start.checked_add(budget).unwrap_or(start + BUDGET);
    let picture = unpack(bytes)?;
    for stage in Stage::ALL {
        if stage != Stage::Plain && Instant::now() >= deadline {
            return Err(ReadError::OutOfTime);
        }
        let Some(view) = stage.apply(&picture) else { continue };
        match engine::decode(stage.engine(), &view, deadline) {
            Some(Found::Text(text)) => return Ok(Reading { payload: SecretString::from(text), stage }),
            Some(Found::NotText) => return Err(ReadError::NotText),
            Some(Found::Empty) => return Err(ReadError::Empty),
            None => {}
        }
    }
    Err(ReadError::NoCode)
}

/// Whether the current thread is inside a decoder whose panics are caught and taken as "nothing read". A panic hook
/// asks this to leave the terminal alone.
pub fn catches_panics() -> bool {
    engine::is_catching()
}

fn unpack(bytes: &[u8]) -> Result<Picture, ReadError> {
    let format = sniff(bytes).ok_or(ReadError::NotAnImage)?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOC);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|error| kind(&error))?;
    let (width, height) = decoder.dimensions();
    // The library promises the same; asked again because a decoder may learn its limits late.
    if width > MAX_SIDE || height > MAX_SIDE || decoder.total_bytes() > MAX_ALLOC {
        return Err(ReadError::TooLarge);
    }
    if width < MIN_SIDE || height < MIN_SIDE {
        return Err(ReadError::NoCode);
    }
    let image = DynamicImage::from_decoder(decoder).map_err(|error| kind(&error))?;
    Ok(flatten(image))
}

/// The format by the file's first bytes; names and content types are not to be trusted.
fn sniff(bytes: &[u8]) -> Option<ImageFormat> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(ImageFormat::Png)
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some(ImageFormat::Jpeg)
    } else {
        None
    }
}

fn kind(error: &image::ImageError) -> ReadError {
    match error {
        image::ImageError::Limits(_) => ReadError::TooLarge,
        _ => ReadError::Damaged,
    }
}

fn flatten(image: DynamicImage) -> Picture {
    if !image.color().has_alpha() {
        return Picture { on_white: bounded(image.into_luma8()), on_black: None };
    }
    let image = image.into_luma_alpha8();
    let over = |background: u16| {
        let (width, height) = image.dimensions();
        let mut flat = GrayImage::new(width, height);
        for (to, from) in flat.iter_mut().zip(image.pixels()) {
            let [grey, alpha] = from.0.map(u16::from);
            *to = u8::try_from((grey * alpha + background * (255 - alpha)) / 255).unwrap_or(u8::MAX);
        }
        bounded(flat)
    };
    let transparent = image.pixels().any(|pixel| pixel.0[1] < 255);
    Picture { on_white: over(255), on_black: transparent.then(|| over(0)) }
}

fn bounded(picture: GrayImage) -> GrayImage {
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if longest <= WORKING_SIDE {
        return picture;
    }
    let side = |length: u32| (length * WORKING_SIDE / longest).max(1);
    imageops::resize(&picture, side(width), side(height), FilterType::Triangle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_are_taken_for_pictures() {
        for bytes in [&b""[..], b"<html>", b"GIF89a", b"\x89PNG", b"BM", &[0; 512]] {
            assert_eq!(read(bytes).err(), Some(ReadError::NotAnImage));
        }
        assert_eq!(read(b"\xff\xd8\xff").err(), Some(ReadError::Damaged));
        assert_eq!(read(b"\x89PNG\r\n\x1a\n").err(), Some(ReadError::Damaged));
    }

    #[test]
    fn a_picture_without_a_code_says_so() {
        let mut bytes = Vec::new();
        let blank = GrayImage::from_pixel(60, 60, image::Luma([255]));
        blank.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        assert_eq!(read(&bytes).err(), Some(ReadError::NoCode));
    }

    #[test]
    fn too_wide_is_refused_before_it_is_unpacked() {
        let mut bytes = Vec::new();
        let wide = GrayImage::from_pixel(MAX_SIDE + 1, 21, image::Luma([255]));
        wide.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        assert_eq!(read(&bytes).err(), Some(ReadError::TooLarge));
    }
}
