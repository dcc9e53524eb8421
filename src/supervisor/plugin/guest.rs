//! The half of the actor that listens to the guest: its answers, its `ctx` calls, and what the host says to those.

use std::sync::Arc;

use futures_util::FutureExt;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{Plugin, Subject};
use crate::bridge::{self, LogLine, Method, Operation};
use crate::channel::frame::{self, Incoming};
use crate::channel::{FetchAsk, Received, Room};
use crate::egress::Grant;
use crate::error::{Error, ErrorCode, OVER, Refusal};
use crate::json::{self, Extent};
use crate::limits::DOCUMENTED_SUBREQUESTS;
use crate::limits::cpu::End;
use crate::limits::sizes::{MAX_DEPTH, MAX_VALUES};
use crate::supervisor::complaint::error_of;
use crate::supervisor::host_calls::HostCall;
use crate::supervisor::message::Answer;
use crate::supervisor::outbox::Event;

/// Frames that are read before a look at the clock; more are what a plugin floods its host with.
const MAX_UNREAD: usize = 64;

/// An operation that waits for its turn.
#[derive(Debug)]
pub(in crate::supervisor) struct Work {
    event: Event,
    file: Option<File>,
}

/// A file that a call brings, or asks for.
#[derive(Debug)]
struct File {
    way: Way,
    room: Room,
    until: Instant,
}

#[derive(Debug, Clone, Copy)]
enum Way {
    /// The guest keeps it under this number.
    Upload(u64),
    /// In bytes, at most.
    Read(u64),
}

impl Plugin {
    pub(super) async fn on_frame(&mut self, text: &str) {
        if let Some(session) = self.state.session_mut() {
            session.watch.heard();
        }
        match Incoming::parse(text) {
            Ok(Incoming::Call {
                call,
                invocation,
                method,
                body,
            }) => self.on_guest_call(call, invocation, &method, body),
            Ok(Incoming::Answer { invocation, outcome }) => {
                let Some(waiting) = self.invocations.answer(invocation) else {
                    self.noise.hears_in_vain(Instant::now());
                    // Too late for whoever asked, but it has come to its end.
                    self.leftovers = self.leftovers.saturating_sub(1);
                    return;
                };
                self.last_used = Instant::now();
                self.end_watch(invocation, End::Answered, self.last_used);
                match outcome {
                    Ok(value) => match value.and_then(excess_of_answer) {
                        Some(message) => self.fail(waiting.request, Error::new(ErrorCode::Threw, message)),
                        None => self.done(waiting.request, value.map(|value| value.get().to_owned())),
                    },
                    Err(thrown) => self.fail(waiting.request, error_of(&thrown, thrown.stack())),
                }
            }
            Ok(Incoming::Ready { .. } | Incoming::Broken { .. }) | Err(_) => {
                self.on_gone(Some(format!("it sent {}", frame::FrameError))).await;
            }
        }
    }

    fn on_guest_call(&mut self, call: u64, invocation: u64, method: &str, body: &RawValue) {
        let now = Instant::now();
        let Some(until) = self.invocations.authority(invocation, now) else {
            // Before it hears why, and throws: whoever waits for it is told of the limit.
            self.expire(now);
            return self.answer_here(call, Err(OVER.into()));
        };
        if method != Method::Log.name()
            && let Err(message) = self.charge(invocation)
        {
            return self.answer_here(call, Err(message.into()));
        }
        if let Some(message) = excess_of_arguments(body) {
            return self.answer_here(call, Err(message.into()));
        }
        match bridge::parse(method, body, &self.grants) {
            Err(error) => self.answer_here(call, Err(error.to_string().into())),
            Ok(operation) if operation.method == Method::Log => {
                self.subject.journal.plugin(LogLine::new(operation.args));
                self.answer_here(call, Ok(Answer::json("null")));
            }
            Ok(operation) => {
                let file = file_of(&operation, until);
                let bytes = operation.args.iter().flatten().map(String::len).sum();
                self.last_used = Instant::now();
                let (plugin, authority) = (self.subject.number, self.authority.until(until));
                let call = HostCall {
                    call,
                    invocation,
                    until,
                    bytes,
                    file: file.as_ref().map(|file| Arc::clone(&file.room)),
                };
                if let Some(session) = self.state.session_mut() {
                    session.watch.waits(invocation);
                }
                let work = self.calls.begin(call, |call| {
                    let event = Event::Call {
                        plugin,
                        call,
                        operation,
                        upload: None,
                        authority,
                    };
                    Work { event, file }
                });
                work.into_iter().for_each(|work| self.carry_out(work));
            }
        }
    }

    /// An operation whose turn it is. First there must be room for its file, and one that it brings is fetched.
    fn carry_out(&self, Work { event, file }: Work) {
        let (Some(file), Some(session)) = (file, self.state.session()) else {
            return self.outbox.push(event);
        };
        let files = Arc::clone(session.channel.files());
        let (limit, outbox) = (self.subject.limits.max_upload, Arc::clone(&self.outbox));
        tokio::spawn(async move {
            let ready = async {
                match file.way {
                    Way::Upload(number) => files.fetch(number, limit, &file.room).await.ok(),
                    Way::Read(bytes) => {
                        files.make_room(bytes, &file.room).await;
                        None
                    }
                }
            };
            // Without its bytes an upload is refused, and after that time no operation begins.
            let upload = tokio::time::timeout_at(file.until, ready).await;
            outbox.push(event.with_upload(upload.ok().flatten()));
        });
    }

    /// Reads what has come and nobody has read, because JavaScript's thread listens and is busy: it was said in time.
    pub(super) async fn read_up(&mut self) {
        for _ in 0..MAX_UNREAD {
            let Some(session) = self.state.session_mut().filter(|_| self.calls.has_room()) else {
                return;
            };
            if !session.channel.budget().has_room() {
                return;
            }
            match session.channel.receive().now_or_never() {
                Some(Received::Frame(text)) => self.on_frame(text.as_str()).await,
                Some(Received::Fetch(ask)) => self.on_fetch(ask),
                Some(Received::Closed(error)) => return self.on_gone(Some(error.to_string())).await,
                None => return,
            }
        }
    }

    /// A fetch is a `ctx` call like the others; only its bodies go another way.
    pub(super) fn on_fetch(&mut self, FetchAsk { invocation, reply }: FetchAsk) {
        // Whoever asked may have gone.
        let _ = reply.send(self.grant(invocation));
    }

    fn grant(&mut self, invocation: u64) -> Result<Grant, String> {
        let now = Instant::now();
        let Some(until) = self.invocations.authority(invocation, now) else {
            self.expire(now);
            return Err(OVER.into());
        };
        self.charge(invocation)?;
        let Subject { manifest, .. } = &self.subject;
        let reach = bridge::reach(&manifest.id, &self.grants, &manifest.allowed_hosts)
            .map_err(|error| error.to_string())?;
        self.last_used = Instant::now();
        let (authority, open) = (self.authority.until(until), self.fetches.begin(invocation));
        if let Some(session) = self.state.session_mut() {
            session.watch.waits(invocation);
        }
        Ok(Grant {
            reach,
            ended: Box::pin(async move {
                authority.ended().await;
                drop(open);
            }),
        })
    }

    /// Whose fetches have ended waits for them no more.
    pub(super) fn resume_fetchers(&mut self) {
        for invocation in self.fetches.take_ended() {
            if let Some(session) = self.state.session_mut() {
                session.watch.resumes(invocation);
            }
        }
    }

    /// Counts a call that leaves the isolate.
    fn charge(&mut self, invocation: u64) -> Result<(), String> {
        let limit = self.subject.limits.subrequests;
        let Some(count) = self.invocations.charge(invocation) else {
            return Err(format!(
                "Too many subrequests: a hook or route may make at most {limit} calls on ctx"
            ));
        };
        self.subject.board.counts_subrequest();
        if count > DOCUMENTED_SUBREQUESTS && !self.has_warned_of_subrequests {
            self.has_warned_of_subrequests = true;
            self.notice(format!(
                "makes more than {DOCUMENTED_SUBREQUESTS} calls on ctx in one hook or route: this plugin would fail on Cloudflare"
            ));
        }
        Ok(())
    }

    pub(super) fn on_answer(&mut self, call: u64, result: Result<Answer, Refusal>) {
        let room = self.calls.room_of(call);
        let Some((call, invocation, next)) = self.calls.end(call) else {
            return;
        };
        if let Some(session) = self.state.session_mut() {
            session.watch.resumes(invocation);
        }
        next.into_iter().for_each(|work| self.carry_out(work));
        // The answer is spliced into a frame: it must be one JSON value, whatever a row of the database held.
        let result = match result {
            Ok(Answer {
                value: Some(text), ..
            }) if serde_json::from_str::<&RawValue>(&text).is_err() => {
                Err("the host's answer can't be read".into())
            }
            result => result,
        };
        self.send_with_room(call, result, room);
    }

    /// Answers for operations whose invocations are over.
    pub(super) fn refuse_overdue(&mut self, now: Instant) {
        for call in self.calls.take_overdue(now) {
            self.send_to_guest(call, Err(OVER.into()));
        }
    }

    /// The answer to a call that JavaScript hears nothing of.
    fn answer_here(&mut self, call: u64, result: Result<Answer, Refusal>) {
        self.noise.hears_in_vain(Instant::now());
        self.send_to_guest(call, result);
    }

    fn send_to_guest(&mut self, call: u64, result: Result<Answer, Refusal>) {
        self.send_with_room(call, result, None);
    }

    /// `room` is what the answer's bytes take until the guest has them.
    fn send_with_room(&mut self, call: u64, result: Result<Answer, Refusal>, room: Option<Room>) {
        // Call 0 wants no answer.
        let (Some(session), 1..) = (self.state.session_mut(), call) else {
            return;
        };
        match result {
            Ok(Answer { value, bytes: None }) => session.channel.send(frame::result(call, value.as_deref())),
            Ok(Answer {
                value,
                bytes: Some(bytes),
            }) => {
                let frame = frame::result_with_bytes(call, value.as_deref().unwrap_or("{}"));
                session.channel.send_with_bytes(frame, call, bytes, room);
            }
            Err(refusal) => session.channel.send(frame::refusal(call, &refusal)),
        }
    }
}

fn file_of(operation: &Operation, until: Instant) -> Option<File> {
    let way = match operation.method {
        Method::MediaUpload => Way::Upload,
        Method::MediaReadBytes => Way::Read,
        _ => return None,
    };
    let way = way(operation.args.last()?.as_ref()?.parse().ok()?);
    Some(File {
        way,
        room: Room::default(),
        until,
    })
}

fn excess_of_answer(value: &RawValue) -> Option<String> {
    match json::extent(value.get()) {
        Extent { values, .. } if values > MAX_VALUES => {
            Some(format!("its answer holds more than {MAX_VALUES} values"))
        }
        Extent { depth, .. } if depth > MAX_DEPTH => {
            Some(format!("its answer is nested more than {MAX_DEPTH} levels deep"))
        }
        _ => None,
    }
}

/// A sentence, for the plugin.
fn excess_of_arguments(body: &RawValue) -> Option<String> {
    match json::extent(body.get()) {
        Extent { values, .. } if values > MAX_VALUES => Some(format!(
            "The arguments of a call may hold at most {MAX_VALUES} values"
        )),
        Extent { depth, .. } if depth > MAX_DEPTH => Some(format!(
            "The arguments of a call may be nested at most {MAX_DEPTH} levels deep"
        )),
        _ => None,
    }
}
