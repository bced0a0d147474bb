//! A picture that does not read at first, made easier: the second tries and their order.
//!
//! The order is that of qr.md §1, where of 269 pictures never seen before 239 read as they are, 12 after the contrast was
//! stretched, 17 after a light blur as well, 1 at half size and none later. The negative, the median and the second
//! decoder are for worse ones: inverted codes cut at their edge, salt and pepper, very low contrast.

use image::GrayImage;
use image::imageops::{self, FilterType};

use super::engine::Engine;
use super::read::Picture;

/// White around the picture, in pixels: many pictures have no quiet zone of their own.
const PAD: u32 = 16;
/// Larger pictures are not enlarged further.
const ENLARGE_BELOW: u32 = 1024;
const WHITE: u8 = 255;

/// Which try read the code, in the order of the tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The picture as it is, alpha on white, padded.
    Plain,
    /// The 1st to 99th percentile stretched over the whole range.
    Stretched,
    /// Stretched, then blurred a little: noise.
    StretchedBlurred,
    /// Half the size: noise again, and modules of many pixels.
    Halved,
    /// Stretched and turned to its negative: a light code whose dark ground ends with it.
    Negative,
    /// Each pixel the median of its neighbours, then stretched: salt and pepper.
    Median,
    /// Blurred more, then stretched: coarse noise.
    BlurredStretched,
    /// Alpha on black: a light code on nothing. Only where there is transparency.
    OnBlack,
    /// Stretched, and twice the size: modules of one or two pixels.
    Doubled,
    /// The second decoder.
    Rqrr,
    /// The second decoder on a blurred picture.
    RqrrBlurred,
}

impl Stage {
    /// Every stage, in the order in which [`read`](super::read::read) tries them.
    pub const ALL: [Self; 11] = [
        Self::Plain,
        Self::Stretched,
        Self::StretchedBlurred,
        Self::Halved,
        Self::Negative,
        Self::Median,
        Self::BlurredStretched,
        Self::OnBlack,
        Self::Doubled,
        Self::Rqrr,
        Self::RqrrBlurred,
    ];

    pub(super) const fn engine(self) -> Engine {
        match self {
            Self::Plain
            | Self::Stretched
            | Self::StretchedBlurred
            | Self::Halved
            | Self::Negative
            | Self::Median
            | Self::BlurredStretched
            | Self::OnBlack
            | Self::Doubled => Engine::Rxing,
            Self::Rqrr | Self::RqrrBlurred => Engine::Rqrr,
        }
    }

    /// The picture this stage looks at; `None` where the stage has nothing of its own to show. Stretching comes before
    /// padding: the white around would be the lightest hundredth.
    pub(super) fn apply(self, picture: &Picture) -> Option<GrayImage> {
        let white = &picture.on_white;
        match self {
            Self::Plain => Some(pad(white)),
            Self::Stretched => Some(pad(&stretch(white.clone()))),
            Self::StretchedBlurred => Some(imageops::blur(&pad(&stretch(white.clone())), 1.2)),
            Self::Halved => Some(scale(&pad(white), 1, 2, FilterType::Triangle)),
            Self::Negative => {
                let mut negative = stretch(white.clone());
                imageops::invert(&mut negative);
                Some(pad(&negative))
            }
            Self::Median => Some(pad(&stretch(median(white)))),
            Self::BlurredStretched => Some(pad(&stretch(imageops::blur(white, 2.2)))),
            Self::OnBlack => picture.on_black.as_ref().map(pad),
            Self::Doubled => {
                let small = white.width().max(white.height()) < ENLARGE_BELOW;
                small.then(|| scale(&pad(&stretch(white.clone())), 2, 1, FilterType::CatmullRom))
            }
            // Padding makes this decoder worse (qr.md §1).
            Self::Rqrr => Some(white.clone()),
            Self::RqrrBlurred => Some(imageops::blur(white, 1.2)),
        }
    }
}

/// Each pixel the median of the nine around and in it; at the edge the picture goes on as it ends.
fn median(picture: &GrayImage) -> GrayImage {
    let (width, height) = picture.dimensions();
    GrayImage::from_fn(width, height, |x, y| {
        let mut nine = [WHITE; 9];
        let around = (0..3).flat_map(|down| (0..3).map(move |right| (right, down)));
        for (to, (right, down)) in nine.iter_mut().zip(around) {
            let x = (x + right).saturating_sub(1).min(width - 1);
            let y = (y + down).saturating_sub(1).min(height - 1);
            *to = picture.get_pixel_checked(x, y).map_or(WHITE, |pixel| pixel.0[0]);
        }
        let (_, &mut middle, _) = nine.select_nth_unstable(4);
        image::Luma([middle])
    })
}

fn pad(picture: &GrayImage) -> GrayImage {
    let (width, height) = picture.dimensions();
    let mut padded = GrayImage::from_pixel(width + 2 * PAD, height + 2 * PAD, image::Luma([WHITE]));
    imageops::replace(&mut padded, picture, i64::from(PAD), i64::from(PAD));
    padded
}

fn scale(picture: &GrayImage, times: u32, over: u32, filter: FilterType) -> GrayImage {
    let side = |length: u32| (length * times / over).max(1);
    imageops::resize(picture, side(picture.width()), side(picture.height()), filter)
}

/// Spreads the 1st to 99th percentile of the greys over 0 to 255.
fn stretch(mut picture: GrayImage) -> GrayImage {
    let mut count = [0_u32; 256];
    for &grey in picture.as_raw() {
        if let Some(n) = count.get_mut(usize::from(grey)) {
            *n += 1;
        }
    }
    let hundredth = picture.width() * picture.height() / 100;
    let low = percentile(count.iter(), hundredth);
    let high = 255 - percentile(count.iter().rev(), hundredth);
    if high <= low {
        return picture;
    }
    let mut table = [0_u8; 256];
    for (grey, to) in (0_u16..).zip(&mut table) {
        let above = grey.saturating_sub(low).min(high - low);
        *to = u8::try_from(above * 255 / (high - low)).unwrap_or(WHITE);
    }
    for grey in picture.iter_mut() {
        *grey = table.get(usize::from(*grey)).copied().unwrap_or(*grey);
    }
    picture
}

/// How many greys from this end lie before the one that takes the sum over `wanted`.
fn percentile<'a>(count: impl Iterator<Item = &'a u32>, wanted: u32) -> u16 {
    let mut sum = 0;
    let mut at = 0;
    for n in count {
        sum += n;
        if sum > wanted {
            break;
        }
        at += 1;
    }
    at.min(255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretching_fills_the_range_and_keeps_a_flat_picture() {
        let picture = GrayImage::from_fn(20, 20, |x, _| image::Luma([if x < 10 { 100 } else { 120 }]));
        let greys = stretch(picture);
        assert_eq!((greys.get_pixel(0, 0).0, greys.get_pixel(19, 0).0), ([0], [255]));
        let flat = GrayImage::from_pixel(9, 9, image::Luma([7]));
        assert_eq!(stretch(flat.clone()), flat);
    }

    #[test]
    fn the_median_removes_single_pixels() {
        let mut picture = GrayImage::from_pixel(9, 9, image::Luma([200]));
        let flat = picture.clone();
        picture.put_pixel(4, 4, image::Luma([0]));
        picture.put_pixel(0, 8, image::Luma([255]));
        assert_eq!(median(&picture), flat);
    }

    #[test]
    fn stages_are_in_order() {
        assert!(Stage::ALL.is_sorted());
    }
}
