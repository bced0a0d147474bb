//! ratatui's side of drawing: it fills a buffer, [`Screen`] shows it.

use std::cell::Cell as Shared;
use std::io::{self, Write};
use std::rc::Rc;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::{Frame, Terminal};

use super::screen::Screen;
use crate::ui::Picture;

/// A terminal to draw frames on.
#[derive(Debug)]
pub struct Painter<W> {
    terminal: Terminal<Canvas>,
    /// Where the text cursor is to stand; shared with the canvas.
    caret: Rc<Shared<Option<Position>>>,
    screen: Screen<W>,
}

impl<W: Write> Painter<W> {
    /// Draws through `writer` on a terminal of this size; writes nothing yet.
    ///
    /// # Errors
    ///
    /// None that happens: ratatui could tell one of its backend, and its canvas has none.
    pub fn new(writer: W, size: Size) -> io::Result<Self> {
        let caret = Rc::default();
        let terminal = Terminal::new(Canvas { size, caret: Rc::clone(&caret) })?;
        Ok(Self { terminal, caret, screen: Screen::new(writer, size) })
    }

    /// Draws one frame and sends what differs from the last one in one write.
    ///
    /// # Errors
    ///
    /// The terminal is gone.
    pub fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.draw_with(|frame| {
            view(frame);
            None
        })
    }

    /// The same for a view that gives the picture that belongs over its cells, if one does.
    ///
    /// # Errors
    ///
    /// The terminal is gone.
    pub fn draw_with(&mut self, view: impl FnOnce(&mut Frame<'_>) -> Option<Picture>) -> io::Result<()> {
        let mut picture = None;
        let frame = self.terminal.draw(|frame| picture = view(frame))?;
        self.screen.show_with(frame.buffer, self.caret.get(), picture)
    }

    /// The terminal has another size now; the next frame clears it and draws all of it.
    pub fn resize(&mut self, size: Size) {
        self.terminal.backend_mut().size = size;
        self.screen.resize(size);
    }

    /// What sends the bytes.
    pub const fn screen(&self) -> &Screen<W> {
        &self.screen
    }

    /// What sends the bytes.
    pub const fn screen_mut(&mut self) -> &mut Screen<W> {
        &mut self.screen
    }
}

/// What ratatui takes for the terminal: knows the size without asking anybody, keeps the text cursor, sends nothing.
#[derive(Debug)]
struct Canvas {
    size: Size,
    caret: Rc<Shared<Option<Position>>>,
}

impl Backend for Canvas {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, _changes: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.caret.set(None);
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.caret.set(self.caret.get().or(Some(Position::ORIGIN)));
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        // Asking the terminal would cost a round trip, and some never answer.
        Ok(self.caret.get().unwrap_or(Position::ORIGIN))
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        if self.caret.get().is_some() {
            self.caret.set(Some(position.into()));
        }
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn clear_region(&mut self, _region: ClearType) -> io::Result<()> {
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::default() })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
