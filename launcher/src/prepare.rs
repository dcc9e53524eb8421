//! The steps from "just spawned" to "workerd", in the order that each of them needs.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use rustix::process::{Signal, chdir, getppid, set_parent_process_death_signal, setsid};

use crate::jail::{Plan, Refused};
use crate::program::Program;
use crate::sys::{close_all, reset_signals};

/// What the addon sends: configuration, socket, control, backing. They follow the three standard ones, so that a digit
/// names each of them: the jail's filter relies on it.
const MAX_DESCRIPTORS: usize = 4;

/// The place of the control pipe among them.
const CONTROL: usize = 2;

/// Where a descriptor can be named by its number alone, which is the only name that the jail lets it connect to.
const OWN_DESCRIPTORS: &str = "/proc/self/fd";

/// Returns only when something failed: on success this process is the program.
pub(crate) fn run(arguments: Vec<OsString>) -> Failure {
    match prepare(arguments) {
        Err(failure) => failure,
        Ok(program) => Failure::new("can't execute workerd", program.execute()),
    }
}

fn prepare(arguments: Vec<OsString>) -> Result<Program, Failure> {
    let mut arguments = arguments.into_iter();
    let parent = arguments.next().and_then(|pid| pid.to_str()?.parse::<i32>().ok());
    let plan = arguments.next().and_then(|plan| Plan::parse(plan.to_str()?));
    let (Some(parent), Some(plan), Some(path)) = (parent, plan, arguments.next()) else {
        return Err(Failure::new(
            "is started by the addon only",
            io::ErrorKind::InvalidInput.into(),
        ));
    };

    die_with(parent)?;
    // Node marks its own, so that this is a second lock. Before the others arrive, to take their places.
    close_all().map_err(|e| Failure::new("can't close the descriptors that Node left open", e))?;
    let descriptors = receive_descriptors()?;
    for descriptor in &descriptors {
        fcntl_setfd(descriptor, FdFlags::empty())
            .map_err(|e| Failure::new("can't hand over a descriptor", e.into()))?;
    }
    forget_standard_input()?;
    reset_signals().map_err(|error| Failure::new("can't reset its signals", error))?;
    // A new session: a terminal's Ctrl-C is Node's to handle, not the plugin's process's to die of.
    setsid().map_err(|error| Failure::new("can't start a session", error.into()))?;
    chdir(OWN_DESCRIPTORS).map_err(|error| Failure::new("can't leave the folder", error.into()))?;
    rustix::thread::set_no_new_privs(true).map_err(|e| Failure::new("can't give up privileges", e.into()))?;

    let arguments = arguments.map(|argument| substitute(argument, &descriptors));
    let program =
        Program::new(path, arguments).map_err(|error| Failure::new("can't take its arguments", error))?;
    let applied = plan.apply(&program);
    let lost = applied.as_ref().map_or_else(std::slice::from_ref, Vec::as_slice);
    tell(lost, descriptors.get(CONTROL));
    applied?;
    // The descriptors must outlive this function: the program takes them over.
    std::mem::forget(descriptors);
    Ok(program)
}

/// To the addon, by the pipe that workerd is to say on that it listens: what a plugin's code could not have written. With
/// the filter of system calls in place, writing is all that is left.
fn tell(lost: &[Refused], control: Option<&OwnedFd>) {
    for refused in lost {
        let line = refused.to_string().replace('\n', " ") + "\n";
        let told = match control {
            Some(control) => rustix::io::write(control, line.as_bytes()),
            None => rustix::io::write(rustix::stdio::stderr(), line.as_bytes()),
        };
        // Who has closed it is not interested.
        let _ = told;
    }
}

/// The kernel kills this process, also once it is workerd, when the thread that spawned it ends. It could have ended
/// before we asked; then the parent is another process by now.
fn die_with(parent: i32) -> Result<(), Failure> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Failure::new("can't ask for the parent-death signal", error.into()))?;
    if getppid().is_none_or(|pid| pid.as_raw_nonzero().get() != parent) {
        return Err(Failure::new("the parent is gone", io::ErrorKind::NotFound.into()));
    }
    Ok(())
}

fn receive_descriptors() -> Result<Vec<OwnedFd>, Failure> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = recvmsg(
        rustix::stdio::stdin(),
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )
    .map_err(|error| Failure::new("received no descriptors", error.into()))?;
    if received.flags.contains(ReturnFlags::CTRUNC) {
        let why = io::Error::other("the kernel kept some of them: allow more open files (ulimit -n)");
        return Err(Failure::new("received too few descriptors", why));
    }
    let descriptors = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    Ok(descriptors.flatten().collect())
}

fn forget_standard_input() -> Result<(), Failure> {
    open("/dev/null", OFlags::RDONLY, Mode::empty())
        .and_then(rustix::stdio::dup2_stdin)
        .map_err(|error| Failure::new("can't replace standard input", error.into()))
}

fn substitute(argument: OsString, descriptors: &[OwnedFd]) -> OsString {
    let Some(text) = argument.to_str() else {
        return argument;
    };
    let mut text = text.to_owned();
    for (index, descriptor) in descriptors.iter().enumerate() {
        text = text.replace(&format!("{{fd:{index}}}"), &descriptor.as_raw_fd().to_string());
    }
    text.into()
}

/// What could not be done, and the system's word on why.
pub(crate) struct Failure {
    what: &'static str,
    source: io::Error,
}

impl Failure {
    fn new(what: &'static str, source: io::Error) -> Self {
        Self { what, source }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::new("can't jail workerd", io::Error::other(refused.to_string()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.source)
    }
}
