//! What a code costs: read, encode, check, render, each alone and together, over the samples in `tests/qr-samples` and,
//! where it is, over the whole set beside the repository (`SAOMA_QR_SAMPLES`).

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and when it fails says where")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use saoma::qr::ansi::Inline;
use saoma::qr::render::{Layout, Palette, cells, fit};
use saoma::qr::{Code, read, verify};
use secrecy::SecretString;

fn samples(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut samples: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "png" || extension == "jpg"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    samples.sort();
    samples
}

fn all() -> PathBuf {
    std::env::var_os("SAOMA_QR_SAMPLES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/qr-samples"), PathBuf::from)
}

/// 47 bytes: version 3, as in qr.md §3.
fn payload() -> SecretString {
    "http://weixin.qq.com/x/SAOMA-0123456789abcdefgh".into()
}

fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    for (name, bytes) in samples(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/qr-samples")) {
        group.bench_with_input(BenchmarkId::from_parameter(name), &bytes, |bencher, bytes| {
            bencher.iter(|| read(black_box(bytes)).is_ok());
        });
    }
    group.finish();
}

/// The goals are a median and a 95th percentile over the set, which a statistic per picture does not give: the best of
/// three for each, unpacking included, as in qr.md §1.
fn the_whole_set(_: &mut Criterion) {
    let samples = samples(&all());
    if samples.is_empty() {
        println!("skipped: no QR samples; set SAOMA_QR_SAMPLES to their folder");
        return;
    }
    let once = |bytes: &[u8]| {
        let start = Instant::now();
        let read = black_box(read(black_box(bytes))).is_ok();
        (start.elapsed(), read)
    };
    let mut read = 0;
    let mut times: Vec<Duration> = samples
        .iter()
        .map(|(_, bytes)| {
            let (first, ok) = once(bytes);
            read += usize::from(ok);
            first.min(once(bytes).0).min(once(bytes).0)
        })
        .collect();
    times.sort();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    println!(
        "the whole set: {read} of {} read; median {:?}, 95th percentile {:?}, longest {:?}",
        samples.len(),
        at(50),
        at(95),
        times.last().copied().unwrap_or_default()
    );
}

fn drawing(criterion: &mut Criterion) {
    let payload = payload();
    criterion.bench_function("encode 47 bytes", |bencher| {
        bencher.iter(|| Code::encode(black_box(&payload)).unwrap());
    });
    let code = Code::encode(&payload).unwrap();
    criterion.bench_function("verify 47 bytes", |bencher| {
        bencher.iter(|| verify(black_box(&code), &payload));
    });
    let place = fit(code.size(), 37, 19, Layout::Half).unwrap();
    criterion.bench_function("cells", |bencher| {
        bencher.iter(|| cells(black_box(&code), place, Palette::Indexed, false));
    });
    let drawn = cells(&code, place, Palette::Indexed, false);
    let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
    criterion.bench_function("cells into a buffer", |bencher| {
        bencher.iter(|| black_box(&drawn).render(Rect::new(43, 4, 37, 19), black_box(&mut buffer)));
    });
    criterion.bench_function("cells as text", |bencher| {
        bencher.iter(|| Inline::default().draw(black_box(&drawn), &[], 80));
    });
}

/// From the bytes that came over the network to cells that may be shown.
fn together(criterion: &mut Criterion) {
    let bytes = saoma::qr::png::png(&Code::encode(&payload()).unwrap()).unwrap();
    criterion.bench_function("read, encode, verify, cells", |bencher| {
        bencher.iter(|| {
            let payload = read(black_box(&bytes)).unwrap();
            let code = Code::encode(&payload).unwrap();
            assert!(verify(&code, &payload));
            cells(&code, fit(code.size(), 37, 19, Layout::Half).unwrap(), Palette::Indexed, false)
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .without_plots()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1000));
    targets = the_whole_set, reading, drawing, together
}
criterion_main!(benches);
