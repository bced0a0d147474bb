//! Bytes of a file that a person or a spreadsheet wrote → text: UTF-8, UTF-16 and GB18030 (with GBK in it), with or
//! without a mark in front. Nothing is replaced: what cannot be read is told, with its lines.

use std::io::Read;
use std::path::Path;

use encoding_rs::{GB18030, UTF_16BE, UTF_16LE};

use super::context::Context;
use super::fail::Failure;

/// A list of accounts of this size is none.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// How a text was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As everything should be.
    Utf8,
    /// What a spreadsheet calls Unicode text.
    Utf16,
    /// What a spreadsheet in China saves CSV in.
    Gb18030,
}

impl Encoding {
    /// As people know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16 => "UTF-16",
            Self::Gb18030 => "GB18030",
        }
    }
}

/// Why bytes are no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadText {
    /// A spreadsheet program's own file.
    Workbook,
    /// UTF-8 with something else in these lines, from 1.
    Lines(Vec<usize>),
    /// No text in any encoding that is known.
    Binary,
}

impl BadText {
    /// What is wrong, for people.
    pub fn words(&self, context: &Context, file: &str) -> String {
        match self {
            Self::Workbook => context.tf("cli.import.workbook", &[("file", file)]),
            Self::Lines(lines) => {
                context.tf("cli.import.broken_utf8", &[("file", file), ("lines", &super::out::ranges(lines))])
            }
            Self::Binary => context.tf("cli.import.encoding", &[("file", file)]),
        }
    }
}

/// Reads a file, or standard input for `-`.
pub fn read(context: &Context, path: &Path) -> Result<Vec<u8>, Failure> {
    let name = path.display().to_string();
    let failed = |error| Failure::io(&name, &error);
    let mut bytes = Vec::new();
    let most = MAX_BYTES + 1;
    if path == Path::new("-") {
        std::io::stdin().take(most).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        std::fs::File::open(path).map_err(failed)?.take(most).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 >= most {
        return Err(Failure::other("io", context.tf("cli.import.too_large", &[("file", &name)])));
    }
    Ok(bytes)
}

/// The text, without a mark in front, and how it was written.
pub fn text(bytes: &[u8]) -> Result<(String, Encoding), BadText> {
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err(BadText::Workbook);
    }
    let utf16 = match bytes {
        [0xff, 0xfe, rest @ ..] => Some((UTF_16LE, rest)),
        [0xfe, 0xff, rest @ ..] => Some((UTF_16BE, rest)),
        // Without a mark: these files begin with a letter, a quote or a bracket.
        [first, 0, ..] if *first != 0 => Some((UTF_16LE, bytes)),
        [0, second, ..] if *second != 0 => Some((UTF_16BE, bytes)),
        _ => None,
    };
    if let Some((encoding, rest)) = utf16 {
        let text = encoding.decode_without_bom_handling_and_without_replacement(rest);
        return text.map(|text| (text.into_owned(), Encoding::Utf16)).ok_or(BadText::Binary);
    }
    let (rest, marked) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => (rest, true),
        None => (bytes, false),
    };
    if let Ok(text) = std::str::from_utf8(rest) {
        return Ok((text.to_owned(), Encoding::Utf8));
    }
    // A name that was cut within a character is no other encoding: read as one, all other names would turn into others.
    let (good, bad) = utf8_in(rest);
    if marked || good > bad.len() {
        let mut lines = bad;
        lines.dedup();
        return Err(BadText::Lines(lines));
    }
    let text = GB18030.decode_without_bom_handling_and_without_replacement(rest);
    let text = text.filter(|text| !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\r' | '\n')));
    text.map(|text| (text.into_owned(), Encoding::Gb18030)).ok_or(BadText::Binary)
}

/// How many characters of three bytes and more are UTF-8, and the lines of the bytes that are not.
fn utf8_in(bytes: &[u8]) -> (usize, Vec<usize>) {
    let (mut good, mut line, mut bad) = (0, 1, Vec::new());
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| c.len_utf8() > 2).count();
        line += chunk.valid().matches('\n').count();
        if !chunk.invalid().is_empty() {
            bad.push(line);
        }
    }
    (good, bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "wc_id,nick_name\r\nwxid_a,张三\r\nwxid_b,老王修车\r\n";

    #[test]
    fn a_text_is_read_in_many_encodings() {
        let le: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let gbk = GB18030.encode(TEXT).0.into_owned();
        let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
        for (bytes, encoding) in [
            (TEXT.into(), Encoding::Utf8),
            (marked(b"\xef\xbb\xbf", TEXT.as_bytes()), Encoding::Utf8),
            (le.clone(), Encoding::Utf16),
            (be.clone(), Encoding::Utf16),
            (marked(b"\xff\xfe", &le), Encoding::Utf16),
            (marked(b"\xfe\xff", &be), Encoding::Utf16),
            (gbk, Encoding::Gb18030),
        ] {
            assert_eq!(text(&bytes), Ok((TEXT.to_owned(), encoding)));
        }
        assert_eq!(text(b""), Ok((String::new(), Encoding::Utf8)));
    }

    #[test]
    fn what_is_no_text_is_refused_and_nothing_is_made_up() {
        let mut cut = TEXT.as_bytes().to_vec();
        cut.extend(b"wxid_c,\xe5\xbc\nwxid_d,\xff\xff\n");
        assert_eq!(text(&cut), Err(BadText::Lines(vec![4, 5])));
        assert_eq!(text(b"\xef\xbb\xbfa\n\xc4\xe3"), Err(BadText::Lines(vec![2])));
        assert_eq!(text(b"PK\x03\x04 whatever"), Err(BadText::Workbook));
        assert_eq!(text(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), Err(BadText::Workbook));
        for bytes in [&b"\x89PNG\r\n\x1a\n"[..], b"\xff\xfea", b"\xff\xfe\x00\xd8a\x00", b"\xff\xff\xff", b"\xc4"] {
            assert_eq!(text(bytes), Err(BadText::Binary), "{bytes:?}");
        }
    }
}
