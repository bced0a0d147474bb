//! Payload → modules.

use qrcode::bits::Bits;
use qrcode::{EcLevel, QrCode, Version};
use secrecy::{ExposeSecret, SecretString};

/// How much of a code may be damaged before it no longer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ec {
    /// About 7 %.
    L,
    /// About 15 %.
    M,
    /// About 25 %.
    Q,
    /// About 30 %.
    H,
}

impl Ec {
    /// Highest first: the order in which [`Code::encode`] tries them.
    const DOWNWARDS: [Self; 4] = [Self::H, Self::Q, Self::M, Self::L];

    const fn level(self) -> EcLevel {
        match self {
            Self::L => EcLevel::L,
            Self::M => EcLevel::M,
            Self::Q => EcLevel::Q,
            Self::H => EcLevel::H,
        }
    }
}

/// Why a payload did not become a code. Says nothing of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// There is nothing to encode.
    #[error("the payload is empty")]
    Empty,
    /// More than version 40 holds at the lowest error correction (2,953 bytes).
    #[error("the payload is too long for a QR code")]
    TooLong,
}

/// The modules of a drawn code. Says nothing in `Debug` but its size: the modules are the payload.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    size: u16,
    version: u8,
    ec: Ec,
    controls: bool,
    /// One bit a module, row by row, lowest bit first.
    dark: Box<[u8]>,
}

impl Code {
    /// Draws `payload`: the lowest version that holds it at EC L, then the highest EC that the same version still
    /// holds, which costs no cell (qr.md §0).
    ///
    /// # Errors
    /// [`EncodeError`] when the payload is empty or longer than any code can hold.
    pub fn encode(payload: &SecretString) -> Result<Self, EncodeError> {
        let text = payload.expose_secret();
        if text.is_empty() {
            return Err(EncodeError::Empty);
        }
        let version = lowest_version(text)?;
        let (ec, drawn) = Ec::DOWNWARDS
            .into_iter()
            .find_map(|ec| Some((ec, QrCode::with_bits(bits(text, version, ec)?, ec.level()).ok()?)))
            .ok_or(EncodeError::TooLong)?;
        let size = u16::try_from(drawn.width()).unwrap_or(u16::MAX);
        let number = match version {
            Version::Normal(number) | Version::Micro(number) => u8::try_from(number).unwrap_or(u8::MAX),
        };
        let dark = drawn
            .to_colors()
            .chunks(8)
            .map(|eight| eight.iter().rev().fold(0, |byte, color| byte << 1 | color.select(1, 0)))
            .collect();
        Ok(Self { size, version: number, ec, controls: text.chars().any(char::is_control), dark })
    }

    /// A code made module by module: for tests that need some code to draw.
    #[doc(hidden)]
    pub fn from_fn(size: u16, dark: impl Fn(u16, u16) -> bool) -> Self {
        let modules: Vec<bool> =
            (0..size).flat_map(|y| (0..size).map(move |x| (x, y))).map(|(x, y)| dark(x, y)).collect();
        let dark = modules
            .chunks(8)
            .map(|eight| eight.iter().rev().fold(0, |byte, dark| byte << 1 | u8::from(*dark)))
            .collect();
        let version = u8::try_from(size.saturating_sub(17) / 4).unwrap_or(u8::MAX);
        Self { size, version, ec: Ec::L, controls: false, dark }
    }

    /// Modules per side, without the quiet zone.
    pub const fn size(&self) -> u16 {
        self.size
    }

    /// The QR version, 1 to 40; a side has `17 + 4 × version` modules.
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// The error correction it was drawn with.
    pub const fn ec(&self) -> Ec {
        self.ec
    }

    /// Whether the payload holds control characters. The modules carry them as they are, but whoever shows the payload
    /// as text has to clean it, and no login payload seen so far has any.
    pub const fn has_controls(&self) -> bool {
        self.controls
    }

    /// Whether the module at column `x`, row `y` is dark; light outside the code, so that a quiet zone needs no
    /// special case.
    pub fn is_dark(&self, x: i32, y: i32) -> bool {
        let size = i32::from(self.size);
        if !(0..size).contains(&x) || !(0..size).contains(&y) {
            return false;
        }
        let at = (y * size + x).unsigned_abs();
        self.dark.get((at / 8) as usize).is_some_and(|byte| byte >> (at % 8) & 1 == 1)
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code({0}x{0})", self.size)
    }
}

/// The first version that holds `text` at EC L.
fn lowest_version(text: &str) -> Result<Version, EncodeError> {
    // The number of bits depends on the version only through the width of the length fields, which is the same within
    // 1–9, 10–26 and 27–40; asking each version in turn is simple and costs microseconds for what a login carries.
    (1..=40).map(Version::Normal).find(|&version| bits(text, version, Ec::L).is_some()).ok_or(EncodeError::TooLong)
}

/// The bit stream of `text`, ended and padded; `None` if it does not fit.
fn bits(text: &str, version: Version, ec: Ec) -> Option<Bits> {
    let ended = |mut bits: Bits| bits.push_terminator(ec.level()).ok().map(|()| bits);
    let as_bytes = || {
        let mut bits = Bits::new(version);
        if !text.is_ascii() {
            // Said to be UTF-8 (ECI 26), so that no reader has to guess.
            bits.push_eci_designator(26).ok()?;
        }
        bits.push_byte_data(text.as_bytes()).ok()?;
        ended(bits)
    };
    let in_segments = || {
        // The encoder takes UTF-8 pairs that look like Shift JIS for kanji, and a reader would then give other words.
        if !text.is_ascii() {
            return None;
        }
        let mut bits = Bits::new(version);
        bits.push_optimal_data(text.as_bytes()).ok()?;
        ended(bits)
    };
    // Digits and capitals are shorter in segments of their own, but the encoder's "optimal" segments can also be longer
    // than bytes alone, and then cost a version.
    as_bytes().or_else(in_segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Code {
        Code::encode(&SecretString::from(text)).unwrap()
    }

    /// qr.md §2: bytes per version at EC L.
    #[test]
    fn takes_the_lowest_version() {
        for (bytes, version) in
            [(17, 1), (18, 2), (32, 2), (33, 3), (53, 3), (54, 4), (78, 4), (79, 5), (106, 5), (107, 6)]
        {
            let code = code(&"x".repeat(bytes));
            assert_eq!((code.version(), code.size()), (version, 17 + 4 * u16::from(version)), "{bytes} bytes");
        }
    }

    /// Byte-mode capacities of version 3 (ISO/IEC 18004 table 7): L 53, M 42, Q 32, H 24.
    #[test]
    fn then_raises_the_error_correction_within_it() {
        assert_eq!(code(&"x".repeat(53)).ec(), Ec::L);
        assert_eq!(code(&"x".repeat(43)).ec(), Ec::L);
        assert_eq!(code(&"x".repeat(42)).ec(), Ec::M);
        assert_eq!(code(&"x".repeat(33)).ec(), Ec::M);
        assert_eq!(code("x").ec(), Ec::H);
    }

    /// Each where the other would need a larger version.
    #[test]
    fn takes_bytes_or_segments_whichever_is_shorter() {
        assert_eq!(code("http://x/SAOMA-ij").version(), 1);
        assert_eq!(code(&"7".repeat(41)).version(), 1);
        assert_eq!(code(&"A".repeat(25)).version(), 1);
    }

    #[test]
    fn refuses_nothing_and_too_much() {
        assert_eq!(Code::encode(&SecretString::from("")), Err(EncodeError::Empty));
        assert_eq!(Code::encode(&SecretString::from("x".repeat(2954))), Err(EncodeError::TooLong));
        assert_eq!(code(&"x".repeat(2953)).version(), 40);
    }

    #[test]
    fn is_the_encoders_own_matrix() {
        let text = "http://weixin.qq.com/x/saoma-abcdefabcdef";
        let code = code(text);
        let own = QrCode::with_version(text, Version::Normal(3), EcLevel::M).unwrap();
        for y in 0..29 {
            for x in 0..29 {
                assert_eq!(code.is_dark(x, y), own[(x as usize, y as usize)] == qrcode::Color::Dark);
            }
        }
        assert!(!code.is_dark(-1, 0) && !code.is_dark(29, 0) && !code.is_dark(0, 29) && !code.is_dark(0, -1));
    }

    #[test]
    fn flags_controls_and_hides_itself() {
        assert!(code("a\u{1b}[0m").has_controls());
        assert!(!code("扫码").has_controls());
        assert_eq!(format!("{:?}", code("http://weixin.qq.com/x/SAOMA-0123456789ab")), "Code(29x29)");
    }
}
