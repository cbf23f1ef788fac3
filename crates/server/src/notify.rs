//! Keyspace notifications: events as messages on `__keyspace@…__` and `__keyevent@…__` channels.

use keyspace::{Event, EventClass, Interest};

use crate::clients::Clients;
use crate::pubsub::PubSub;

/// What notify-keyspace-events asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Notifications {
    by_key: bool,
    by_event: bool,
    classes: Interest,
}

impl Notifications {
    /// Reads the letters; the configuration has checked them.
    pub(crate) fn parse(letters: &str) -> Self {
        let mut notifications = Notifications::default();
        for letter in letters.bytes() {
            match letter {
                b'K' => notifications.by_key = true,
                b'E' => notifications.by_event = true,
                b'A' => notifications.classes |= Interest::COMMON,
                letter => {
                    if let Some(class) = EventClass::from_letter(letter) {
                        notifications.classes |= class;
                    }
                }
            }
        }
        notifications
    }

    pub(crate) fn interest(self) -> Interest {
        if self.by_key || self.by_event { self.classes } else { Interest::EMPTY }
    }

    pub(crate) fn publish(self, event: &Event, pubsub: &PubSub, clients: &mut Clients) {
        if !self.classes.contains(event.kind.class) {
            return;
        }
        if self.by_key {
            let channel = [format!("__keyspace@{}__:", event.db).as_bytes(), &event.key].concat();
            pubsub.publish(clients, &channel, event.kind.name.as_bytes());
        }
        if self.by_event {
            let channel = format!("__keyevent@{}__:{}", event.db, event.kind.name);
            pubsub.publish(clients, channel.as_bytes(), &event.key);
        }
    }
}
