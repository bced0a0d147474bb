//! Payload → modules.

/// The modules of a drawn code. Says nothing in `Debug` but its size: the modules are the payload.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    size: u16,
    dark: Box<[bool]>,
}

impl Code {
    /// A code made module by module: for tests that need some code to draw.
    #[doc(hidden)]
    pub fn from_fn(size: u16, dark: impl Fn(u16, u16) -> bool) -> Self {
        let dark = (0..size).flat_map(|y| (0..size).map(move |x| (x, y))).map(|(x, y)| dark(x, y)).collect();
        Self { size, dark }
    }

    /// Modules per side, without the quiet zone.
    pub const fn size(&self) -> u16 {
        self.size
    }

    /// Whether the module at column `x`, row `y` is dark; light outside the code, so that a quiet zone needs no
    /// special case.
    pub fn is_dark(&self, x: i32, y: i32) -> bool {
        let size = i32::from(self.size);
        (0..size).contains(&x)
            && (0..size).contains(&y)
            && self.dark.get((y * size + x) as usize).copied().unwrap_or(false)
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code({0}x{0})", self.size)
    }
}
