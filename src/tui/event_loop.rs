//! The one thread that owns the terminal: waits, reads everything there is, lets the mind think, draws at most once.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use ratatui::Frame;
use ratatui::layout::Size;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::backend::Painter;
use super::inbox::Outlet;
use super::input::{self, Input, Reader};
use super::notify::Caller;
use super::owed::{self, Last, Owed};
use super::signals::{self, Signals, Told};
use super::terminal::Tty;
use super::{Backstage, Error, Inbox, capabilities, clipboard, crash, probe};
use crate::app::{self, Capabilities, Effect, Msg, Pictures, State};
use crate::config::Notify;
use crate::i18n::{Lang, t};
use crate::model::{Now, Stamp, to_ms};
use crate::ui::{self, Picture};

/// Frames that no key asked for are at least this far apart, so that a storm of messages costs little (perf.md G8).
const FRAME_GAP: Duration = Duration::from_millis(50);
/// The same for new sizes: while a window is dragged each of them redraws everything.
const RESIZE_GAP: Duration = Duration::from_millis(80);
/// A mind that asks to be woken at once, again and again, is not woken more often.
const TICK_GAP: Duration = Duration::from_millis(10);
/// Reads in a row before the screen gets its turn.
const MOST_READS: usize = 256;
/// How long leaving waits for a terminal that takes no bytes: a person who quit sees a whole terminal, a signal is obeyed.
const LEAVE_QUIT: Duration = Duration::from_millis(1000);
const LEAVE_SIGNAL: Duration = Duration::from_millis(30);
/// Somebody who was called is not called again sooner.
const CALL_GAP: Duration = Duration::from_secs(1);

/// What the loop drives: [`State`] with its `update` and `view`, or a test's own.
pub trait Mind {
    /// Takes in what happened; see [`app::update()`]. `Msg::Drawn` alone must not take a needed frame back: only
    /// [`Mind::take_dirty`] does that.
    fn update(&mut self, msg: Msg, now: Now) -> Vec<Effect>;
    /// Draws the whole screen; see [`ui::view`].
    fn view(&self, now: Now, frame: &mut Frame<'_>);
    /// The same, for a mind that shows pictures: gives the one that belongs over the cells; see [`ui::paint`].
    fn paint(&self, now: Now, frame: &mut Frame<'_>) -> Option<Picture> {
        self.view(now, frame);
        None
    }
    /// See [`State::next_wake`].
    fn next_wake(&self, now: Now) -> Option<Duration>;
    /// Whether a frame would look different from the last one; the answer is "no" afterwards.
    fn take_dirty(&mut self) -> bool;
    /// The same without consequences.
    fn is_dirty(&self) -> bool;
}

impl Mind for State {
    fn update(&mut self, msg: Msg, now: Now) -> Vec<Effect> {
        app::update(self, msg, now)
    }

    fn view(&self, now: Now, frame: &mut Frame<'_>) {
        ui::view(self, now, frame);
    }

    fn paint(&self, now: Now, frame: &mut Frame<'_>) -> Option<Picture> {
        ui::paint(self, now, frame)
    }

    fn next_wake(&self, now: Now) -> Option<Duration> {
        self.next_wake(now)
    }

    fn take_dirty(&mut self) -> bool {
        self.take_dirty()
    }

    fn is_dirty(&self) -> bool {
        self.dirty
    }
}

/// What the loop has to be told.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// For the few words of its own.
    pub lang: Lang,
    /// The folder for crash reports; the system's one for temporary files when not given.
    pub reports: Option<PathBuf>,
    /// Added to the wall clock, in milliseconds: the demo can begin at any time.
    pub wall_offset_ms: i64,
    /// How somebody is called to the terminal.
    pub notify: Notify,
    /// Says, on the thread that panics, whether the panic is expected and caught: then it is nobody's news.
    pub caught: Option<fn() -> bool>,
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The mind asked for it.
    Quit,
    /// A signal, by its number.
    Signal(i32),
    /// The terminal is gone.
    Gone,
}

impl Exit {
    /// The exit code of the process, as a shell reports it: 0, 128 + signal, and 129 (SIGHUP) when the terminal is gone.
    pub fn code(self) -> u8 {
        match self {
            Self::Quit => 0,
            Self::Signal(signal) => u8::try_from(128 + signal).unwrap_or(255),
            Self::Gone => 129,
        }
    }
}

/// Runs the TUI until it ends; the terminal is whole again when this returns, errs or panics.
///
/// `start` is called after the first frame is on the screen and gives what does the other effects: nothing slow stands
/// before the first frame. After this returns the process should end at once: leave with [`Exit::code`] and wait for nobody.
///
/// # Errors
///
/// [`Error::NoTerminal`] without one; [`Error::Io`] when it fails otherwise than by going away.
pub fn run<M: Mind>(mind: M, options: Options, start: impl FnOnce(Inbox) -> Box<dyn Backstage>) -> Result<Exit, Error> {
    let (tty, guard) = Tty::open()?;
    let signals = Signals::install()?;
    let (inbox, outlet) = Inbox::new()?;
    let reports = options.reports.unwrap_or_else(std::env::temp_dir);
    let watching = crash::watch(inbox.clone(), options.lang, reports, options.caught);
    let size = tty.size();
    let terminal = capabilities::of_process();
    let mut painter = Painter::new(tty.clone(), size)?;
    painter.screen_mut().queue(&tty.enter()?);
    let mut body = Loop {
        mind,
        painter,
        tty,
        signals,
        outlet,
        backstage: None,
        lang: options.lang,
        wall_offset_ms: options.wall_offset_ms,
        started: Instant::now(),
        reader: Reader::new(esc_hold()),
        size,
        terminal,
        system_cell: terminal.cell_px,
        asked_until: None,
        owed: None,
        away: false,
        force: true,
        urgent: true,
        drawn_owed: false,
        last_frame: None,
        gap: FRAME_GAP,
        resized: false,
        tick_at: None,
        last_tick: None,
        waiting: VecDeque::new(),
        caller: Caller::of_process(options.notify),
        last_call: None,
        exit: None,
    };
    let ended = body.first_frame().and_then(|()| {
        body.backstage = Some(start(inbox));
        body.turn()
    });
    let exit = match ended {
        Ok(exit) => exit,
        Err(error) if is_gone(&error) => Exit::Gone,
        Err(error) => return Err(error.into()),
    };
    body.tty.leave(if exit == Exit::Quit { LEAVE_QUIT } else { LEAVE_SIGNAL });
    drop((guard, watching));
    Ok(exit)
}

struct Loop<M> {
    mind: M,
    painter: Painter<Tty>,
    tty: Tty,
    signals: Signals,
    outlet: Outlet,
    backstage: Option<Box<dyn Backstage>>,
    lang: Lang,
    wall_offset_ms: i64,
    started: Instant,
    reader: Reader,
    size: Size,
    terminal: Capabilities,
    /// A cell's pixels as the system has them; the terminal's own answer goes before it.
    system_cell: Option<(u16, u16)>,
    /// How long an answer of the terminal is waited for.
    asked_until: Option<Duration>,
    /// An answer of the terminal that may still come.
    owed: Option<Owed>,
    /// The terminal is given back, we are stopped or about to be.
    away: bool,
    /// Draw even if the mind sees no change.
    force: bool,
    /// A key asked for the next frame.
    urgent: bool,
    /// A frame was drawn but is not on the screen yet.
    drawn_owed: bool,
    last_frame: Option<Duration>,
    /// How far from the last frame the next one has to keep.
    gap: Duration,
    /// The next frame is due to a new size.
    resized: bool,
    tick_at: Option<Duration>,
    last_tick: Option<Duration>,
    /// Effects that came up before there was a backstage.
    waiting: VecDeque<Effect>,
    caller: Caller,
    /// When somebody was last called.
    last_call: Option<Duration>,
    exit: Option<Exit>,
}

impl<M: Mind> Loop<M> {
    fn first_frame(&mut self) -> io::Result<()> {
        self.tell_size();
        let question = probe::question(&self.terminal, &std::env::var("TERM").unwrap_or_default());
        // On a single row the answer could not be told from others.
        let asks = !question.is_empty() && self.size.height > 1;
        if asks {
            self.painter.screen_mut().ask(&question);
            self.reader.expect_answers(true);
            if self.terminal.pictures == Pictures::Asked {
                self.reader.expect_pictures();
            }
        } else {
            self.terminal = probe::settle(self.terminal);
        }
        self.tell(Msg::Terminal(self.terminal));
        self.draw()?;
        if asks {
            let owed = Owed::since_now(Last::Place);
            self.tty.owes(Some(owed));
            self.owed = Some(owed);
            self.asked_until = Some(self.mono() + probe::WAIT);
        }
        Ok(())
    }

    fn turn(&mut self) -> io::Result<Exit> {
        let effects = std::mem::take(&mut self.waiting);
        effects.into_iter().for_each(|effect| self.perform(effect));
        loop {
            if let Some(exit) = self.exit {
                return Ok(exit);
            }
            self.draw_if_due()?;
            let ready = self.wait()?;
            // Signals first: one that ends us must not wait behind a flood of keys.
            if ready.signals {
                self.obey_signals()?;
            }
            if self.exit.is_some() {
                continue;
            }
            if ready.gone {
                return Ok(Exit::Gone);
            }
            if ready.output {
                self.push_out()?;
            }
            for msg in self.outlet.take() {
                self.tell(msg);
            }
            if ready.input && !self.read_all()? {
                return Ok(Exit::Gone);
            }
            let found = self.reader.expire(self.mono());
            self.take_input(found);
            self.stop_asking();
            self.tick();
        }
    }

    /// Sleeps until something happens; for ever, if nothing is due.
    fn wait(&self) -> io::Result<Ready> {
        let due = [self.reader.deadline(), self.tick_at, self.next_frame(), self.asked_until];
        let due = due.into_iter().flatten().min().filter(|_| !self.away);
        let timeout = due.map(|due| due.saturating_sub(self.mono()));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let stalled = self.painter.screen().is_stalled() && !self.away;
        // While a frame has to wait its turn messages can wait too: they are then thought about in one go.
        let messages = if self.next_frame().is_some() && !self.away { PollFlags::empty() } else { PollFlags::IN };
        let keys = if self.away { PollFlags::empty() } else { PollFlags::IN };
        let space = if stalled { PollFlags::OUT } else { PollFlags::empty() };
        let input = self.tty.input();
        let output = self.tty.output();
        let mut fds = [
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(input, keys),
            PollFd::from_borrowed_fd(self.outlet.as_fd(), messages),
            PollFd::from_borrowed_fd(output, space),
        ];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [signals, input, _, output] = fds.map(|fd| fd.revents());
        let broken = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        Ok(Ready {
            signals: !signals.is_empty(),
            input: input.contains(PollFlags::IN),
            output: output.contains(PollFlags::OUT),
            gone: input.intersects(broken) || output.intersects(broken),
        })
    }

    fn obey_signals(&mut self) -> io::Result<()> {
        let all = self.signals.take();
        let ends = all.iter().find_map(|told| if let Told::End(signal) = told { Some(*signal) } else { None });
        if let Some(signal) = ends {
            self.exit = self.exit.or(Some(Exit::Signal(signal)));
            return Ok(());
        }
        for told in all {
            match told {
                Told::End(_) => {}
                Told::Stop => {
                    self.away = true;
                    self.tty.leave(LEAVE_SIGNAL);
                    if let Some(backstage) = &mut self.backstage {
                        backstage.give_up();
                    }
                    signals::stop()?;
                }
                Told::Continue => self.come_back()?,
                Told::Resize => self.look_at_size(),
            }
        }
        Ok(())
    }

    /// Takes the terminal again after a stop, and draws all of it.
    fn come_back(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.away) {
            // What was owed was read away when the terminal was given back.
            self.forget_asking();
            self.terminal = probe::settle(self.terminal);
            self.tell(Msg::Terminal(self.terminal));
        }
        if let Some(backstage) = &mut self.backstage {
            backstage.come_back();
        }
        let enter = self.tty.enter()?;
        let screen = self.painter.screen_mut();
        screen.entered();
        screen.queue(&enter);
        self.look_at_size();
        self.tell(Msg::Repaint);
        self.repaint();
        Ok(())
    }

    fn repaint(&mut self) {
        self.painter.screen_mut().forget();
        self.force = true;
        self.urgent = true;
    }

    fn look_at_size(&mut self) {
        let size = self.tty.size();
        let before = self.size;
        if size != self.size && !self.away {
            self.size = size;
            self.painter.resize(size);
            self.force = true;
            self.resized = true;
            self.tell_size();
        }
        let cell_px = capabilities::cell_px(self.tty.output());
        let pictures = self.terminal.picture().is_some();
        if cell_px.is_some() && cell_px != self.system_cell {
            // Another font, or another screen.
            self.system_cell = cell_px;
            self.terminal.cell_px = cell_px;
            self.tell(Msg::Terminal(self.terminal));
        } else if cell_px.is_some() || size == before {
            return;
        }
        if pictures {
            self.painter.screen_mut().queue(probe::CELL_QUESTION);
            let owed = Owed::since_now(Last::Cell);
            self.tty.owes(Some(owed));
            self.owed = Some(owed);
        }
    }

    fn tell_size(&mut self) {
        self.tell(Msg::Resize { columns: self.size.width, rows: self.size.height });
    }

    /// Reads until there is nothing more to read; `false` when the terminal is gone.
    fn read_all(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        for _ in 0..MOST_READS {
            match rustix::io::read(self.tty.input(), &mut buffer) {
                Ok(0) | Err(Errno::IO) => return Ok(false),
                Ok(count) => {
                    let found = self.reader.feed(buffer.get(..count).unwrap_or_default(), self.mono());
                    self.take_input(found);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
            // An input that we could not open for ourselves would make the next read wait.
            let mut fds = [PollFd::from_borrowed_fd(self.tty.input(), PollFlags::IN)];
            let more = poll(&mut fds, Some(&Timespec::default())).unwrap_or(0);
            if more == 0 || self.exit.is_some() {
                break;
            }
        }
        Ok(true)
    }

    fn take_input(&mut self, found: Vec<Input>) {
        for input in found {
            if self.exit.is_some() {
                return;
            }
            let msg = match input {
                Input::Key(key) => Msg::Key(key),
                Input::Paste(text) => Msg::Paste(text),
                answer @ (Input::Position { .. }
                | Input::CellSize { .. }
                | Input::Attributes { .. }
                | Input::Version(_)
                | Input::Graphics { .. }) => {
                    self.answered(&answer);
                    continue;
                }
            };
            self.urgent = true;
            self.tell(msg);
        }
    }

    /// The terminal answered what was asked with the first frame.
    fn answered(&mut self, answer: &Input) {
        let before = self.terminal;
        self.terminal = probe::take(before, answer);
        if self.owed.is_some_and(|owed| owed.last.is(answer, false)) {
            self.forget_asking();
        }
        if self.terminal != before {
            self.urgent = true;
            self.tell(Msg::Terminal(self.terminal));
        }
    }

    /// An answer that has not come by now is not waited for; one that comes late is heard all the same, until it is owed
    /// no more.
    fn stop_asking(&mut self) {
        if self.asked_until.is_none_or(|until| self.mono() < until) {
            return;
        }
        // It may still be on its way, in pieces.
        self.reader.be_patient();
        let settled = probe::settle(self.terminal);
        if settled != self.terminal {
            self.terminal = settled;
            self.tell(Msg::Terminal(settled));
        }
        match self.owed.map(|owed| owed.by.saturating_duration_since(Instant::now())) {
            Some(left) if !left.is_zero() => self.asked_until = Some(self.mono() + left),
            Some(_) | None => self.forget_asking(),
        }
    }

    /// Nothing more is to come.
    fn forget_asking(&mut self) {
        self.asked_until = None;
        self.owed = None;
        self.tty.owes(None);
        self.reader.expect_answers(false);
    }

    fn tick(&mut self) {
        let now = self.mono();
        if self.tick_at.is_some_and(|due| now >= due) {
            self.last_tick = Some(now);
            self.tell(Msg::Tick);
        }
    }

    /// Asks the mind for its timer; after every change, because the answer counts from the time of asking.
    fn set_timer(&mut self) {
        let now = self.now();
        self.tick_at = self.mind.next_wake(now).map(|wait| {
            let due = now.mono.saturating_add(wait);
            self.last_tick.map_or(due, |last| due.max(last + TICK_GAP))
        });
    }

    /// When the next frame may be drawn; `None` when none is needed or none can be taken by the terminal.
    fn next_frame(&self) -> Option<Duration> {
        if self.away || self.painter.screen().is_stalled() || !(self.force || self.mind.is_dirty()) {
            return None;
        }
        Some(match self.last_frame {
            Some(last) if !self.urgent => last + self.gap,
            _ => Duration::ZERO,
        })
    }

    fn draw_if_due(&mut self) -> io::Result<()> {
        match self.next_frame() {
            Some(due) if self.mono() >= due => self.draw(),
            Some(_) => self.push_out(),
            None => {
                // A key that changed nothing must not speed up what comes later.
                if !self.painter.screen().is_stalled() {
                    self.urgent = false;
                }
                self.push_out()
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let now = self.now();
        self.mind.take_dirty();
        let (mind, tty) = (&self.mind, &self.tty);
        self.painter.draw_with(|frame| {
            let picture = mind.paint(now, frame);
            if let Some(picture) = &picture {
                tty.will_show(picture.protocol());
            }
            picture
        })?;
        self.gap = if std::mem::take(&mut self.resized) { RESIZE_GAP } else { FRAME_GAP };
        self.force = false;
        self.urgent = false;
        self.last_frame = Some(now.mono);
        self.drawn_owed = true;
        self.push_out()
    }

    /// Sends what waits; once the screen shows the last frame, the mind is told.
    fn push_out(&mut self) -> io::Result<()> {
        if self.away {
            return Ok(());
        }
        self.painter.screen_mut().push_out()?;
        // Not if the mind has moved on since: what it would take for shown is on its way only with the next frame.
        if self.drawn_owed && !self.painter.screen().is_stalled() && !self.mind.is_dirty() {
            self.drawn_owed = false;
            self.tell(Msg::Drawn);
        }
        Ok(())
    }

    fn tell(&mut self, msg: Msg) {
        let now = self.now();
        let effects = self.mind.update(msg, now);
        self.set_timer();
        effects.into_iter().for_each(|effect| self.perform(effect));
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Quit => self.exit = self.exit.or(Some(Exit::Quit)),
            Effect::Bell => self.call(self.caller.bell().to_vec()),
            Effect::Notify { title, body } => {
                let now = self.mono();
                // One call is enough for what happens all at once; the screen shows all of it.
                if self.last_call.is_none_or(|last| now.saturating_sub(last) >= CALL_GAP) {
                    self.last_call = Some(now);
                    self.call(self.caller.call(&title, &body));
                }
            }
            Effect::Copy(text) => match clipboard::copy(&text) {
                Some(sequence) => self.painter.screen_mut().queue(&sequence),
                None => self.tell(Msg::Notice { message: t(self.lang, "tui.copy_too_long").into_owned() }),
            },
            Effect::Repaint => self.repaint(),
            Effect::Suspend => {
                if signals::has_shell() {
                    signals::stop_group();
                }
            }
            other @ (Effect::Engine(_)
            | Effect::SignIn(_)
            | Effect::WritePng { .. }
            | Effect::RemovePng { .. }
            | Effect::Demo(_)) => match &mut self.backstage {
                Some(backstage) => backstage.perform(other),
                None => self.waiting.push_back(other),
            },
        }
    }

    /// Sends bytes that show nothing, unless the terminal takes none: they would come too late.
    fn call(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() && !self.painter.screen().is_stalled() {
            self.painter.screen_mut().queue(&bytes);
        }
    }

    fn mono(&self) -> Duration {
        self.started.elapsed()
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wall = Stamp(to_ms(wall)).plus_ms(self.wall_offset_ms);
        Now { wall, mono: self.mono() }
    }
}

/// What a wait ended with.
#[derive(Clone, Copy, Debug)]
struct Ready {
    signals: bool,
    input: bool,
    output: bool,
    gone: bool,
}

/// Whether the error says that there is no terminal any more.
fn is_gone(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::IO | Errno::PIPE | Errno::NXIO | Errno::BADF | Errno::NODEV))
}

fn esc_hold() -> Duration {
    if owed::is_remote() { input::ESC_HOLD_SLOW } else { input::ESC_HOLD }
}
