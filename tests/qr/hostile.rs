//! Pictures that are none, that lie, or that are broken: an error or a payload in bounded time, never a panic.

use std::io::Cursor;
use std::time::{Duration, Instant};

use crate::property::cases;
use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use proptest::prelude::*;
use saoma::qr::read::{ReadError, read_within};

use crate::samples::few;

/// Short, so that a broken picture costs the tests little: the limit is looked at between tries.
const BUDGET: Duration = Duration::from_millis(50);

fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn noise(side: u32, seed: u64) -> GrayImage {
    let mut random = fastrand::Rng::with_seed(seed);
    GrayImage::from_fn(side, side, |_, _| Luma([if random.bool() { 0 } else { 255 }]))
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn random_bytes_are_an_error(
        head in prop::sample::select(vec![&b""[..], b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xdb"]),
        tail in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let bytes = [head, &tail].concat();
        prop_assert!(read_within(&bytes, BUDGET).is_err());
    }

    #[test]
    fn cut_and_flipped_samples_do_no_harm(
        which in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 0..6),
        whole in any::<bool>(),
    ) {
        let samples = few();
        let (_, bytes) = which.get(&samples);
        let mut bytes = bytes.clone();
        if !whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        for (at, bit) in flips {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
        }
        // A few flipped bits may leave the picture readable, or change what a code says within its own error
        // correction; an answer is not asked for, only that there is one.
        let _ = read_within(&bytes, BUDGET);
    }

    /// Pixels put to chance: the error correction either repairs them or the code does not read. It never says
    /// something else.
    #[test]
    fn damaged_pixels_never_make_another_payload(share in 0_u32..40, seed in any::<u64>()) {
        let samples = few();
        let (sample, bytes) = &samples[0];
        let mut picture = image::load_from_memory(bytes).unwrap().into_luma8();
        let mut random = fastrand::Rng::with_seed(seed);
        for pixel in picture.pixels_mut() {
            if random.u32(0..100) < share {
                *pixel = Luma([random.u8(..)]);
            }
        }
        if let Ok(reading) = read_within(&file(&picture.into(), ImageFormat::Png), BUDGET) {
            prop_assert_eq!(secrecy::ExposeSecret::expose_secret(&reading.payload), &sample.payload);
        }
    }
}

/// A header may promise what the file does not hold: refused before memory is taken.
#[test]
fn a_header_that_promises_too_much_is_refused() {
    let mut png = file(&GrayImage::new(30, 30).into(), ImageFormat::Png);
    for (width, height) in [(u32::MAX >> 1, u32::MAX >> 1), (4097, 30), (30, 4097), (65_535, 65_535)] {
        png[16..20].copy_from_slice(&width.to_be_bytes());
        png[20..24].copy_from_slice(&height.to_be_bytes());
        let sum = crc(&png[12..29]);
        png[29..33].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(read_within(&png, BUDGET).err(), Some(ReadError::TooLarge), "{width}x{height}");
    }
    let mut jpeg = file(&GrayImage::new(30, 30).into(), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    assert_eq!(read_within(&jpeg, BUDGET).err(), Some(ReadError::TooLarge));
}

/// Sixteen-bit RGBA at the largest size is twice the memory that is allowed.
#[test]
fn memory_is_bounded_and_not_only_the_sides() {
    let deep = DynamicImage::new_rgba16(1, 1);
    let mut png = file(&deep, ImageFormat::Png);
    png[16..20].copy_from_slice(&4096_u32.to_be_bytes());
    png[20..24].copy_from_slice(&4096_u32.to_be_bytes());
    let sum = crc(&png[12..29]);
    png[29..33].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(read_within(&png, BUDGET).err(), Some(ReadError::TooLarge));
}

/// How long all tries together take on a picture.
fn time(picture: GrayImage) -> Duration {
    let bytes = file(&picture.into(), ImageFormat::Png);
    let start = Instant::now();
    assert!(read_within(&bytes, Duration::from_secs(60)).is_err());
    start.elapsed()
}

/// Compared with a picture of the same size and nothing in it, not with a clock: what makes decoders try without end,
/// thousands of finder patterns or noise, may cost some times as much, but not hundreds of times.
#[test]
fn a_picture_made_to_keep_a_decoder_busy_is_given_up() {
    let side = 600;
    let plain = time(GrayImage::from_pixel(side, side, Luma([255])));
    let finders = |module: u32, gap: u32| {
        GrayImage::from_fn(side, side, |x, y| {
            let [x, y] = [x, y].map(|at| i64::from(at / module % gap) - 3);
            let ring = x.abs().max(y.abs());
            Luma([if ring < 4 && ring != 2 { 0 } else { 255 }])
        })
    };
    for (module, gap) in [(1, 8), (1, 10), (2, 9), (3, 16)] {
        let taken = time(finders(module, gap));
        println!("finders of {module} px every {gap} modules: {taken:?}; nothing: {plain:?}");
        assert!(taken < plain * 40, "{taken:?} {plain:?}");
    }
    assert!(time(noise(side, 7)) < plain * 40);
}

/// Large pictures are made smaller first: sixteen times the pixels do not cost more than they weigh.
#[test]
fn a_large_picture_of_noise_is_given_up() {
    let (small, large) = (time(noise(700, 7)), time(noise(2800, 7)));
    println!("noise: 700 px {small:?}, 2800 px {large:?}");
    assert!(large < small * 40, "{small:?} {large:?}");
}

#[test]
fn tiny_and_empty_pictures_are_an_error() {
    for side in [1, 2, 5, 20, 21, 22, 40] {
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let bytes = file(&noise(side, u64::from(side)).into(), format);
            assert!(read_within(&bytes, Duration::from_secs(60)).is_err(), "{side} {format:?}");
        }
    }
}

/// PNG's checksum (PNG specification, annex D).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 })
    })
}
