//! Temporary link.
#![allow(missing_docs)]
use futures_lite::StreamExt;
use std::time::{Duration, Instant};
use std::{cell::RefCell, collections::HashMap};
use tokio_postgres::{
    Client, NoTls, Row, Statement,
    types::{ToSql, Type},
};

pub struct Sql {
    pub name: &'static str,
    pub text: &'static str,
    pub types: &'static [Type],
}
pub struct Link {
    client: Client,
    prepared: RefCell<HashMap<&'static str, Statement>>,
}
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("not sent")]
    NotSent,
    #[error("unknown")]
    Unknown,
    #[error("refused: {0}")]
    Refused(Refusal),
}
impl From<tokio_postgres::Error> for LinkError {
    fn from(e: tokio_postgres::Error) -> Self {
        match e.code() {
            None => LinkError::Unknown,
            Some(c) => LinkError::Refused(Refusal {
                class: crate::postgres::sqlstate::classify(c.code()),
                text: e.to_string(),
            }),
        }
    }
}
#[derive(Debug, Clone)]
pub struct Refusal {
    class: crate::postgres::sqlstate::Class,
    text: String,
}
impl Refusal {
    pub fn class(&self) -> crate::postgres::sqlstate::Class {
        self.class
    }
}
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}
pub type ConnectError = LinkErrorText;
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LinkErrorText(pub String);
impl From<LinkError> for LinkErrorText {
    fn from(e: LinkError) -> Self {
        LinkErrorText(e.to_string())
    }
}
#[derive(Clone)]
pub struct Target(pub String);
#[derive(Clone, Default)]
pub struct ConnectOptions {}
pub async fn connect(target: &Target, _: &ConnectOptions) -> Result<Link, ConnectError> {
    let config: tokio_postgres::Config = target.0.parse().map_err(|e| LinkErrorText(format!("{e}")))?;
    let dir = match &config.get_hosts()[0] {
        tokio_postgres::config::Host::Unix(p) => p.clone(),
        _ => return Err(LinkErrorText("unix".into())),
    };
    let stream = shards::Stream::connect_unix(&dir.join(format!(".s.PGSQL.{}", config.get_ports()[0])))
        .await
        .map_err(|e| LinkErrorText(e.to_string()))?;
    let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(|e| LinkErrorText(e.to_string()))?;
    shards::spawn(async move {
        let _ = connection.await;
    })
    .detach();
    Ok(Link { client, prepared: RefCell::default() })
}
impl Link {
    pub async fn prepare_all(&self, all: &[&'static Sql]) -> Result<(), LinkError> {
        for sql in all {
            let s = self.client.prepare_typed(sql.text, sql.types).await?;
            self.prepared.borrow_mut().insert(sql.name, s);
        }
        Ok(())
    }
    pub async fn query(
        &self,
        sql: &'static Sql,
        parameters: &[&(dyn ToSql + Sync)],
        deadline: Instant,
    ) -> Result<Vec<Row>, LinkError> {
        let statement = self.prepared.borrow().get(sql.name).unwrap().clone();
        let rows = self.client.query_raw(&statement, parameters.iter().copied()).await?;
        let mut rows = std::pin::pin!(rows);
        let mut all = Vec::new();
        while let Some(row) = rows.next().await {
            all.push(row?);
        }
        let _ = (deadline, Duration::ZERO);
        Ok(all)
    }
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
    pub async fn closed(&self) {
        std::future::pending::<()>().await
    }
}
