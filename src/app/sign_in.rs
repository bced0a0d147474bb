//! The sign-in form: which gateway, which API, who.

use std::time::Duration;

use secrecy::SecretString;

use super::SignInForm;
use super::field::Field;
use crate::action::{Key, KeyCode};
use crate::model::Dialect;
use crate::model::base::base_url;

/// A line of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// The gateway's URL.
    Gateway,
    /// Which API.
    Dialect,
    /// The platform account.
    Account,
    /// The platform password.
    Password,
    /// Whether to keep the password for V1's list.
    Keep,
}

/// What is wrong with a line; the words are the locale key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Which line.
    pub line: Line,
    /// Its locale key.
    pub key: &'static str,
}

/// The sign-in form while it is open.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The gateway's URL.
    pub gateway: Field,
    /// Which API.
    pub dialect: Dialect,
    /// The platform account.
    pub account: Field,
    /// The platform password.
    pub password: Field,
    /// Whether to keep it.
    pub keep: bool,
    /// Where the hand is.
    pub line: Line,
    /// What is wrong, if something is.
    pub wrong: Option<Wrong>,
    /// What the last try came to, for people.
    pub failed: Option<String>,
    /// Since when the gateway is being asked.
    pub waiting: Option<Duration>,
    /// Whether there is something behind the form to go back to.
    pub closable: bool,
}

/// What a key did to the form.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing.
    Nothing,
    /// The form looks different.
    Changed,
    /// It wants to go.
    Close,
    /// Ask the gateway.
    Submit(SignInForm),
}

impl SignIn {
    /// A form with what is known filled in; the hand on the first line that is empty.
    pub fn new(gateway: &str, dialect: Dialect, account: &str, closable: bool) -> Self {
        let line = if gateway.is_empty() {
            Line::Gateway
        } else if account.is_empty() {
            Line::Account
        } else {
            Line::Password
        };
        Self {
            gateway: Field::new(gateway),
            dialect,
            account: Field::new(account),
            password: Field::default(),
            keep: false,
            line,
            wrong: None,
            failed: None,
            waiting: None,
            closable,
        }
    }

    /// The lines that are there: keeping the password is asked for V1 only.
    pub const fn lines(&self) -> &'static [Line] {
        match self.dialect {
            Dialect::V1 => &[Line::Gateway, Line::Dialect, Line::Account, Line::Password, Line::Keep],
            Dialect::V2 | Dialect::V3 => &[Line::Gateway, Line::Dialect, Line::Account, Line::Password],
        }
    }

    /// The field under the hand, if the line is one.
    pub const fn field(&mut self) -> Option<&mut Field> {
        match self.line {
            Line::Gateway => Some(&mut self.gateway),
            Line::Account => Some(&mut self.account),
            Line::Password => Some(&mut self.password),
            Line::Dialect | Line::Keep => None,
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key, now: Duration) -> Outcome {
        if self.waiting.is_some() {
            // A gateway that never answers holds nobody in the form; a late success still counts.
            return if key.code == KeyCode::Esc && self.closable { Outcome::Close } else { Outcome::Nothing };
        }
        match (key.code, key.ctrl, key.alt) {
            (KeyCode::Esc, ..) if self.closable => return Outcome::Close,
            (KeyCode::Tab, ..) if key.shift => self.step(-1),
            (KeyCode::Tab | KeyCode::Down, ..) => self.step(1),
            (KeyCode::Up, ..) => self.step(-1),
            (KeyCode::Enter, ..) => {
                if self.lines().last() == Some(&self.line) || self.line == Line::Password {
                    return self.submit(now);
                }
                self.step(1);
            }
            (KeyCode::Left | KeyCode::Right | KeyCode::Char(' '), false, false) if self.line == Line::Dialect => {
                self.dialect = match (self.dialect, key.code == KeyCode::Left) {
                    (Dialect::V1, false) | (Dialect::V3, true) => Dialect::V2,
                    (Dialect::V2, false) | (Dialect::V1, true) => Dialect::V3,
                    (Dialect::V3, false) | (Dialect::V2, true) => Dialect::V1,
                };
            }
            (KeyCode::Left | KeyCode::Right | KeyCode::Char(' '), false, false) if self.line == Line::Keep => {
                self.keep = !self.keep;
            }
            _ => {
                let Some(field) = self.field() else { return Outcome::Nothing };
                if !field.key(key) {
                    return Outcome::Nothing;
                }
                self.wrong = None;
            }
        }
        Outcome::Changed
    }

    /// Takes a paste; false when no field is under the hand.
    pub fn paste(&mut self, text: &str) -> bool {
        if self.waiting.is_some() {
            return false;
        }
        let Some(field) = self.field() else { return false };
        field.paste(text);
        self.wrong = None;
        true
    }

    fn step(&mut self, by: isize) {
        let lines = self.lines();
        let here = lines.iter().position(|line| *line == self.line).unwrap_or(0);
        let next = here.saturating_add_signed(by).min(lines.len().saturating_sub(1));
        self.line = lines.get(next).copied().unwrap_or(self.line);
    }

    fn submit(&mut self, now: Duration) -> Outcome {
        self.wrong = self.check();
        if let Some(wrong) = self.wrong {
            self.line = wrong.line;
            return Outcome::Changed;
        }
        self.failed = None;
        self.waiting = Some(now);
        Outcome::Submit(SignInForm {
            gateway: base_url(self.gateway.text()).unwrap_or_default(),
            dialect: self.dialect,
            account: self.account.text().trim().to_owned(),
            password: SecretString::from(self.password.text()),
            keep_password: self.keep && self.dialect == Dialect::V1,
        })
    }

    fn check(&self) -> Option<Wrong> {
        let line_key = if base_url(self.gateway.text()).is_err() {
            (Line::Gateway, "ui.sign_in.wrong_url")
        } else if self.account.text().trim().is_empty() {
            (Line::Account, "ui.sign_in.wrong_account")
        } else if self.password.text().is_empty() {
            (Line::Password, "ui.sign_in.wrong_password")
        } else {
            return None;
        };
        Some(Wrong { line: line_key.0, key: line_key.1 })
    }
}
