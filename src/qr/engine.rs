//! The two decoders behind one face: greyscale picture → the bytes of a code.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::GrayImage;
use rxing::common::HybridBinarizer;
use rxing::qrcode::QRCodeReader;
use rxing::qrcode::cpp_port::QrReader;
use rxing::{
    BarcodeFormat, BinaryBitmap, DecodeHints, ImmutableReader, Luma8LuminanceSource, RXingResult,
    RXingResultMetadataType, RXingResultMetadataValue,
};

/// What a decoder found in a picture.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// The payload.
    Text(String),
    /// A code was read, but its bytes are not UTF-8.
    NotText,
    /// A code was read, and there is nothing in it.
    Empty,
}

impl Found {
    fn from_bytes(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) if text.is_empty() => Self::Empty,
            Ok(text) => Self::Text(text),
            Err(_) => Self::NotText,
        }
    }
}

/// Which decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    /// rxing: quick, and good at what pictures on the network look like.
    Rxing,
    /// rqrr: about twenty times slower; reads some low-contrast pictures that rxing misses.
    Rqrr,
}

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a decoder whose panics are caught: a panic hook that restores the terminal has nothing
/// to do then.
pub(super) fn is_catching() -> bool {
    CATCHING.get()
}

/// Runs one decoder over `picture`. A panic in it counts as nothing found: the picture comes from the network, and
/// these are large decoders.
pub(super) fn decode(engine: Engine, picture: &GrayImage) -> Option<Found> {
    let before = CATCHING.replace(true);
    let found = catch_unwind(AssertUnwindSafe(|| match engine {
        Engine::Rxing => rxing(picture),
        Engine::Rqrr => rqrr(picture),
    }));
    CATCHING.set(before);
    found.ok().flatten()
}

/// Both of rxing's QR readers, then both on the inverted picture: what its `MultiFormatReader` does with `TryHarder`
/// and `AlsoInverted`, but with the bytes in reach instead of a guess at their charset.
fn rxing(picture: &GrayImage) -> Option<Found> {
    let (width, height) = picture.dimensions();
    let source = Luma8LuminanceSource::new(picture.as_raw().clone(), width, height).ok()?;
    let mut bitmap = BinaryBitmap::new(HybridBinarizer::new(source));
    let hints = DecodeHints {
        PossibleFormats: Some([BarcodeFormat::QR_CODE].into()),
        TryHarder: Some(true),
        ..DecodeHints::default()
    };
    for inverted in [false, true] {
        if inverted {
            bitmap.invert();
        }
        if let Ok(result) = QrReader.immutable_decode_with_hints(&mut bitmap, &hints) {
            return Some(Found::from_bytes(result.getRawBytes().to_vec()));
        }
        if let Ok(result) = QRCodeReader.immutable_decode_with_hints(&mut bitmap, &hints) {
            return Some(from_guessed(&result));
        }
    }
    None
}

/// rxing's older reader gives text in a guessed charset. Taken when the guess cannot matter (ASCII), else from the byte
/// segments when they are all there is.
fn from_guessed(result: &RXingResult) -> Found {
    let text = result.getText();
    if text.is_ascii() {
        return Found::from_bytes(text.as_bytes().to_vec());
    }
    match result.getRXingResultMetadata().get(&RXingResultMetadataType::BYTE_SEGMENTS) {
        Some(RXingResultMetadataValue::ByteSegments(segments)) => {
            let bytes = segments.concat();
            if bytes == text.as_bytes() { Found::from_bytes(bytes) } else { Found::NotText }
        }
        _ => Found::NotText,
    }
}

fn rqrr(picture: &GrayImage) -> Option<Found> {
    let (width, height) = picture.dimensions();
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width as usize, height as usize, |x, y| {
        picture.get_pixel_checked(x as u32, y as u32).map_or(255, |pixel| pixel.0[0])
    });
    prepared.detect_grids().iter().find_map(|grid| {
        let mut bytes = Vec::new();
        grid.decode_to(&mut bytes).ok()?;
        Some(Found::from_bytes(bytes))
    })
}
