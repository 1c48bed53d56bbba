//! What a Service is in a cluster: one address in front of several operators that come and go.
//!
//! Takes the addresses of backends; forwards each connection, as bytes, to the first of them that accepts it. Ends with the value.

use crate::ports;
use anyhow::{Context, Result, anyhow};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

type Backends = Arc<Mutex<Vec<String>>>;

/// The address, while it is served.
pub struct Service {
    address: String,
    backends: Backends,
    _server: JoinSet<()>,
}

impl Service {
    /// Starts to serve, in front of nobody.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start() -> Result<Self> {
        let address = format!("127.0.0.1:{}", ports::free()?);
        let listener = TcpListener::bind(&address).await.context("a service has no port")?;
        let backends = Backends::default();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&backends)));
        Ok(Self {
            address,
            backends,
            _server: server,
        })
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Puts it in front of one more.
    ///
    /// # Errors
    /// When a thread panicked that did the same.
    pub fn add(&self, backend: &str) -> Result<()> {
        let mut backends = self.backends.lock().map_err(|_| anyhow!("a thread panicked"))?;
        backends.push(backend.to_owned());
        Ok(())
    }
}

async fn serve(listener: TcpListener, backends: Backends) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let backends = backends.lock().unwrap_or_else(PoisonError::into_inner).clone();
        connections.spawn(forward(stream, backends));
        while connections.try_join_next().is_some() {}
    }
}

/// One connection; whoever breaks it off is not our concern.
async fn forward(mut stream: TcpStream, backends: Vec<String>) {
    for backend in backends {
        if let Ok(mut backend) = TcpStream::connect(backend).await {
            // What is forwarded waits for nothing.
            drop(stream.set_nodelay(true));
            drop(backend.set_nodelay(true));
            drop(copy_bidirectional(&mut stream, &mut backend).await);
            return;
        }
    }
}
