//! The floor of `benches/start.rs`: what any ratatui program costs that draws one screen and waits for a key.

use std::io;

use ratatui::crossterm::event;
use ratatui::widgets::Paragraph;

/// The same text for every row, wide enough for the widest window of the bench.
const ROW: &str = "hello ";

fn main() -> io::Result<()> {
    let mut terminal = ratatui::init();
    let drawn = terminal.draw(|frame| {
        let area = frame.area();
        let row = ROW.repeat(usize::from(area.width) / 2 / ROW.len());
        let text = vec![row; usize::from(area.height)].join("\n");
        frame.render_widget(Paragraph::new(text), area);
    });
    let read = drawn.and_then(|_| event::read());
    ratatui::restore();
    read.map(drop)
}
