//! The two decoders behind one face: greyscale picture → the bytes of a code.

use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use image::GrayImage;
use rxing::common::{BitMatrix, DetectorRXingResult, HybridBinarizer};
use rxing::qrcode::cpp_port::decoder::Decode;
use rxing::qrcode::cpp_port::detector::{FindFinderPatterns, GenerateFinderPatternSets, SampleQR};
use rxing::{BinaryBitmap, Luma8Source};

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

/// More finder patterns than this in one picture are no login's code but a picture made to keep a decoder busy: the work
/// grows with their square. Where one of the samples reads, noise and posters among them, there are three or four.
const MAX_FINDERS: usize = 100;
/// The same for rqrr, which copies the picture for every group of three that it tries.
const MAX_FINDERS_RQRR: usize = 200;

/// Runs one decoder over `picture`, until about `deadline`. A panic in it counts as nothing found: the picture comes
/// from the network, and these are large decoders.
pub(super) fn decode(engine: Engine, picture: &GrayImage, deadline: Instant) -> Option<Found> {
    let before = CATCHING.replace(true);
    let found = catch_unwind(AssertUnwindSafe(|| match engine {
        Engine::Rxing => rxing(picture, deadline),
        Engine::Rqrr => rqrr(picture),
    }));
    CATCHING.set(before);
    found.ok().flatten()
}

/// The steps of rxing's `QrReader`, then the same on the inverted picture. Taken one by one to stop in time, and to have
/// the payload's bytes instead of a text in a guessed charset. rxing's older reader, which its front door asks next, is
/// left out: it reads none of the samples that this chain does not, and nothing bounds its time.
fn rxing(picture: &GrayImage, deadline: Instant) -> Option<Found> {
    let (width, height) = picture.dimensions();
    let source = Luma8Source::new_with_slice(picture.as_raw(), width, height).ok()?;
    let mut bitmap = BinaryBitmap::new(HybridBinarizer::new(source));
    let upright = rxing_matrix(bitmap.get_black_matrix(), deadline);
    if upright.is_some() {
        return upright;
    }
    bitmap.invert();
    rxing_matrix(bitmap.get_black_matrix(), deadline)
}

fn rxing_matrix(matrix: &BitMatrix, deadline: Instant) -> Option<Found> {
    // The tries end with the deadline, but not before one of them was made.
    let in_time = |tries: usize| tries < 8 || Instant::now() < deadline;
    let mut patterns = FindFinderPatterns(matrix, true, 0);
    if patterns.len() > MAX_FINDERS {
        return None;
    }
    GenerateFinderPatternSets(&mut patterns)
        .iter()
        .enumerate()
        .take_while(|(tries, _)| in_time(*tries))
        .filter_map(|(_, set)| Decode(SampleQR(matrix, set).ok()?.getBits()).ok())
        .find(|result| result.isValid())
        .map(|result| Found::from_bytes(result.content().bytes().to_vec()))
}

fn rqrr(picture: &GrayImage) -> Option<Found> {
    let (width, height) = picture.dimensions();
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width as usize, height as usize, |x, y| {
        picture.get_pixel_checked(x as u32, y as u32).map_or(255, |pixel| pixel.0[0])
    });
    // Its colours have no public names, but they can be compared.
    let rows = (0..height as usize).map(|y| (0..width as usize).map(move |x| (x, y)));
    if count_finders(rows.map(|row| row.map(|(x, y)| prepared.get_pixel_at(x, y)))) > MAX_FINDERS_RQRR {
        return None;
    }
    prepared.detect_grids().iter().find_map(|grid| {
        let mut bytes = Vec::new();
        grid.decode_to(&mut bytes).ok()?;
        Some(Found::from_bytes(bytes))
    })
}

/// About how many places look like a finder pattern to someone who goes along the rows: runs of 1:1:3:1:1, those of one
/// pattern counted between one and four times.
fn count_finders<C: PartialEq>(rows: impl Iterator<Item = impl Iterator<Item = C>>) -> usize {
    let mut seen = HashSet::new();
    for (y, row) in rows.enumerate() {
        let mut runs = [0_usize; 5];
        let mut last = None;
        for (x, color) in row.enumerate() {
            if last.as_ref() != Some(&color) {
                if is_finder(runs) {
                    let width = runs.iter().sum::<usize>().next_power_of_two();
                    seen.insert((x / width, y / width, width));
                }
                runs.rotate_left(1);
                runs[4] = 0;
                last = Some(color);
            }
            runs[4] += 1;
        }
        // A row that ends within the pattern's last run says nothing new: the decoder needs light beside it.
    }
    seen.len()
}

fn is_finder(runs: [usize; 5]) -> bool {
    let [a, b, middle, c, d] = runs;
    let whole = runs.iter().sum::<usize>();
    // Half a module of tolerance, in fourteenths of the whole.
    let near = |run: usize, modules: usize| (run * 14).abs_diff(modules * 2 * whole) <= whole * modules.min(2);
    a > 0 && near(a, 1) && near(b, 1) && near(middle, 3) && near(c, 1) && near(d, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_finder_patterns() {
        let picture = |pattern: &str| pattern.lines().map(|line| line.chars().collect::<Vec<_>>()).collect::<Vec<_>>();
        let count = |pattern: &str| count_finders(picture(pattern).into_iter().map(Vec::into_iter));
        assert_eq!(count("................"), 0);
        assert_eq!(count("..#.###.#..."), 1);
        assert_eq!(count("..#.###.#....#.###.#.."), 2);
        assert_eq!(count("..#.###.#...\n..#.###.#...\n..#.###.#..."), 1);
    }
}
