use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use super::super::message::Call;
use super::*;

fn command(number: u64) -> Command {
    let request = Some(number);
    Command::Call(Call::Start { request })
}

fn number(command: Option<Command>) -> Option<u64> {
    match command? {
        Command::Call(Call::Start { request }) => request,
        _ => None,
    }
}

/// Tells what it hears until it hears 0, or no more.
async fn listener(mut commands: Commands, heard: Sender<u64>) {
    while let Some(number) = number(commands.next().await).filter(|number| *number > 0) {
        heard.send(number).unwrap();
    }
}

/// An io thread that runs when it is woken, and never at the same time as the test.
fn at_rest() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

/// The io thread.
fn beside() -> &'static Handle {
    crate::runtime::handle().unwrap()
}

fn outbox() -> Arc<Outbox> {
    Arc::new(Outbox::new(|| {}))
}

fn home(runtime: &Handle) -> (Home, Receiver<u64>) {
    let (heard, hears) = channel();
    let home = Home::new(|commands| listener(commands, heard), outbox(), runtime);
    (home, hears)
}

#[test]
fn a_visitor_has_its_command_heard_at_once_and_those_that_were_sent_before() {
    let runtime = at_rest();
    let handle = runtime.handle();
    let (home, hears) = home(handle);
    assert!(home.send(command(1)) && home.send(command(2)));
    assert!(hears.try_recv().is_err(), "the io thread has not run");
    home.visit(handle, command(3)).unwrap();
    assert_eq!(hears.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
    home.visit(handle, command(4)).unwrap();
    assert_eq!(hears.try_iter().collect::<Vec<_>>(), [4]);
    home.send(command(0));
    runtime.block_on(home.end());
    assert!(home.has_ended());
}

#[test]
fn an_actor_that_is_busy_gives_the_command_back_and_goes_on_where_it_waits() {
    let runtime = at_rest();
    let handle = runtime.handle();
    let notify = Arc::new(Notify::new());
    let awaited = Arc::clone(&notify);
    let (heard, hears) = channel();
    let actor = |commands| async move {
        awaited.notified().await;
        listener(commands, heard).await;
    };
    let home = Home::new(actor, outbox(), handle);
    let back = home.visit(handle, command(1)).unwrap_err();
    assert!(home.send(back));
    notify.notify_one();
    home.visit(handle, command(2)).unwrap();
    assert_eq!(hears.try_iter().collect::<Vec<_>>(), [1, 2]);
    home.send(command(0));
    runtime.block_on(home.end());
    assert!(home.has_ended());
}

#[test]
fn whoever_runs_it_and_whichever_way_commands_go_they_are_heard_once_and_in_order() {
    let handle = beside();
    let (home, hears) = home(handle);
    let mut visits = 0;
    const COMMANDS: u64 = 200_000;
    for number in 1..=COMMANDS {
        match number % 3 {
            0 => assert!(home.send(command(number))),
            _ => match home.visit(handle, command(number)) {
                Ok(()) => visits += 1,
                Err(command) => assert!(home.send(command)),
            },
        }
        if number % 7 == 0 {
            home.hear(handle);
        }
    }
    home.send(command(0));
    handle.block_on(home.end());
    assert!(hears.iter().eq(1..=COMMANDS));
    assert!(visits > 0, "nobody came to visit");
}

#[test]
fn what_wakes_it_during_a_visit_is_not_lost() {
    let handle = beside();
    let (awaited, heard) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (wakes, tells) = (Arc::clone(&awaited), Arc::clone(&heard));
    let actor = |mut commands: Commands| async move {
        while commands.next().await.is_some() {
            let mut notified = std::pin::pin!(awaited.notified());
            notified.as_mut().enable();
            // The io thread is woken while it runs here.
            wakes.notify_waiters();
            (0..500).for_each(|_| std::thread::yield_now());
            notified.await;
            tells.notify_one();
        }
    };
    let home = Home::new(actor, outbox(), handle);
    for _ in 0..100 {
        if let Err(command) = home.visit(handle, command(1)) {
            assert!(home.send(command));
        }
        let told =
            handle.block_on(async { tokio::time::timeout(Duration::from_secs(10), heard.notified()).await });
        assert!(told.is_ok(), "it sleeps");
    }
}

#[test]
fn a_visit_before_its_task_has_first_run_leaves_nothing_asleep() {
    let handle = beside();
    for _ in 0..3000 {
        let (heard, hears) = channel();
        let actor = |mut commands: Commands| async move {
            while let Some(number) = number(commands.next().await) {
                // The io thread comes to it now, or has not yet, or waits for its turn.
                (0..number).for_each(|_| std::thread::yield_now());
                visit::may_go_on(false).await;
                heard.send(number).unwrap();
            }
        };
        let home = Home::new(actor, outbox(), handle);
        home.send(command(3));
        if let Err(command) = home.visit(handle, command(1)) {
            home.send(command);
        }
        let next = || hears.recv_timeout(Duration::from_secs(10)).expect("it sleeps");
        assert_eq!([next(), next()], [3, 1]);
    }
}

#[test]
fn one_that_panics_during_a_visit_is_dropped_and_has_ended() {
    struct Told(Sender<u64>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.send(7).unwrap();
        }
    }
    let runtime = at_rest();
    let handle = runtime.handle();
    let (tells, told) = channel();
    let actor = |mut commands: Commands| async move {
        let _tells = Told(tells);
        commands.next().await;
        panic!("of a test");
    };
    let home = Home::new(actor, outbox(), handle);
    home.visit(handle, command(1)).unwrap();
    assert_eq!(told.try_recv(), Ok(7));
    assert!(home.has_ended() && !home.send(command(2)));
    let back = home.visit(handle, command(3));
    assert!(back.is_err(), "nobody is there");
    runtime.block_on(home.end());
    assert!(home.has_ended());
}

#[test]
fn it_hears_that_nobody_has_it_any_more() {
    let handle = beside();
    let (home, hears) = home(handle);
    home.send(command(5));
    drop(home);
    assert!(hears.iter().eq([5]), "it ends, and its sender with it");
}
