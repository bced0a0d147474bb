//! The sample pictures: a handful in the repository, the whole set beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use saoma::qr::read::{ReadError, read, read_within};
use saoma::qr::{Code, verify};
use secrecy::ExposeSecret;

/// Nothing here is about time, and the tests' build is slow.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(serde::Deserialize)]
pub(crate) struct Sample {
    pub(crate) file: String,
    kind: String,
    pub(crate) payload: String,
}

/// The samples of `folder`, with their bytes.
pub(crate) fn load(folder: &Path) -> Vec<(Sample, Vec<u8>)> {
    let expected = std::fs::read(folder.join("expected.json")).unwrap();
    let samples: Vec<Sample> = serde_json::from_slice(&expected).unwrap();
    samples
        .into_iter()
        .map(|sample| {
            let bytes = std::fs::read(folder.join(&sample.file)).unwrap();
            (sample, bytes)
        })
        .collect()
}

/// The samples in the repository.
pub(crate) fn few() -> Vec<(Sample, Vec<u8>)> {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/qr-samples"))
}

/// The whole set: `SAOMA_QR_SAMPLES`, or beside the repository.
fn all() -> Option<Vec<(Sample, Vec<u8>)>> {
    let folder = std::env::var_os("SAOMA_QR_SAMPLES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/qr-samples"), PathBuf::from);
    folder.join("expected.json").exists().then(|| load(&folder))
}

#[test]
fn the_few_in_the_repository_all_read() {
    for (sample, bytes) in few() {
        let reading = read_within(&bytes, PATIENCE).unwrap_or_else(|error| panic!("{}: {error}", sample.file));
        assert_eq!(reading.payload.expose_secret(), sample.payload, "{}", sample.file);
        let code = Code::encode(&reading.payload).unwrap();
        assert!(verify(&code, &reading.payload), "{}", sample.file);
    }
}

#[test]
fn the_whole_set_reads_but_for_one_and_never_wrongly() {
    let Some(samples) = all().filter(|samples| !samples.is_empty()) else {
        assert!(std::env::var_os("CI").is_none(), "the QR samples are missing: set SAOMA_QR_SAMPLES");
        eprintln!("skipped: no QR samples; set SAOMA_QR_SAMPLES to their folder");
        return;
    };
    let mut stages = BTreeMap::new();
    let mut failed = Vec::new();
    for (sample, bytes) in &samples {
        match read_within(bytes, PATIENCE) {
            Ok(reading) => {
                assert_eq!(reading.payload.expose_secret(), sample.payload, "{}", sample.file);
                *stages.entry(reading.stage).or_insert(0) += 1;
            }
            Err(error) => failed.push(format!("{} ({}): {error}", sample.file, sample.kind)),
        }
    }
    println!("{} of {} read; stages {stages:?}; not read {failed:?}", samples.len() - failed.len(), samples.len());
    assert!(failed.len() * 269 <= samples.len(), "{failed:?}");
}

/// The only picture in the gateway's own pages is a greyscale JPEG of 441×441 pixels (protocol.md §5).
#[test]
fn the_gateways_own_kind_of_picture_reads() {
    let payload = "http://weixin.qq.com/x/SAOMA-0123456789ab";
    let code = Code::encode(&payload.into()).unwrap();
    // 441 is no multiple of 29 + 2 × 4 modules: the edges are soft, as a library that scales draws them.
    let small = image::GrayImage::from_fn(37, 37, |x, y| {
        image::Luma([if code.is_dark(x as i32 - 4, y as i32 - 4) { 0 } else { 255 }])
    });
    let picture = image::imageops::resize(&small, 441, 441, image::imageops::FilterType::Triangle);
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    assert_eq!(read(bytes.get_ref()).unwrap().expose_secret(), payload);
}

/// Larger than what the decoders are given: a code that takes a quarter of a wide poster still reads.
#[test]
fn a_code_in_a_large_picture_reads() {
    let payload = "http://weixin.qq.com/x/SAOMA-0123456789ab";
    let code = Code::encode(&payload.into()).unwrap();
    for (width, height, module) in [(2000, 1500, 13), (1080, 1440, 18)] {
        let picture = image::GrayImage::from_fn(width, height, |x, y| {
            let [x, y] = [x, y].map(|at| (at / module).cast_signed() - 5);
            image::Luma([if code.is_dark(x, y) { 20 } else { 240 }])
        });
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
        let reading = read_within(bytes.get_ref(), PATIENCE).unwrap_or_else(|error| panic!("{width}: {error}"));
        assert_eq!(reading.payload.expose_secret(), payload);
    }
}

/// A code may hold any bytes; what is no text is not shown as if it were.
#[test]
fn bytes_that_are_no_text_are_an_error() {
    let mut bits = qrcode::bits::Bits::new(qrcode::Version::Normal(2));
    bits.push_byte_data(b"http://\xff\xfe\xe9").unwrap();
    bits.push_terminator(qrcode::EcLevel::M).unwrap();
    let code = qrcode::QrCode::with_bits(bits, qrcode::EcLevel::M).unwrap();
    let picture = image::GrayImage::from_fn(33 * 4, 33 * 4, |x, y| {
        let (x, y) = ((x / 4).wrapping_sub(4) as usize, (y / 4).wrapping_sub(4) as usize);
        let dark = x < 25 && y < 25 && code[(x, y)] == qrcode::Color::Dark;
        image::Luma([if dark { 0 } else { 255 }])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    assert_eq!(read(bytes.get_ref()).err(), Some(ReadError::NotText));
}
