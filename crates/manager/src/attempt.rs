//! One call to one model. A stream is opened as far as its first content, so that until then another model can
//! take its place unseen (C3).

use bytes::Bytes;
use providers::{Answer, EventStream, Fault, Provider, WholeAnswer};

use crate::trial::Trial;

/// An answer that can be given to the caller.
pub(crate) enum Opened {
    /// All of it.
    Whole(WholeAnswer),
    /// A stream that has spoken, or ended well without a word.
    Stream {
        /// What was held back so far.
        held: Vec<Bytes>,
        /// The rest. Boxed, since it is handed on at every event.
        stream: Box<EventStream>,
    },
}

/// Calls the provider, and waits for its whole answer or for the stream's first content.
pub(crate) async fn open(
    provider: &Provider,
    call: providers::Call<'_>,
    trial: &mut Trial,
) -> Result<Opened, Fault> {
    let mut stream = match provider.call(call).await? {
        Answer::Whole(answer) => return Ok(Opened::Whole(answer)),
        Answer::Stream(stream) => stream,
    };
    let mut held = Vec::new();
    while let Some(event) = stream.next().await? {
        trial.heard();
        held.push(event.bytes);
        if event.class.content {
            trial.first_content();
            break;
        }
    }
    Ok(Opened::Stream { held, stream: Box::new(stream) })
}
