//! What a request shard computes for one registration: validation, bucket, id, weak record.
//! The whole is to stay under 1.5 us, beside 10 us that the kernel takes for the same request.

use std::hint::black_box;

use criterion::Criterion;
use jeday::account::{Bucket, Email, Password, PasswordPolicy, RoutingKey, UserId, Username, common_passwords};
use jeday::hardening::{Peppers, Random, Salt};
use jeday::keys::{KeyKind, Keys};

const EMAIL: &str = "Firstname.Lastname@mail.example.com";
const USERNAME: &str = "Firstname Lastname";
/// Twelve characters, the usual length.
const PASSWORD: &str = "k7#mQ2xz!pLw";
const PEPPER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let policy = PasswordPolicy::default();
    let routing_key = RoutingKey::new(&[7; 32]);
    let keys = Keys::from_value(KeyKind::Pepper, PEPPER).expect("the pepper is well-formed");
    let peppers = Peppers::new(&keys).expect("there is a pepper");
    let mut random = Random::new().expect("the system has random bytes");
    let email = Email::parse(EMAIL).expect("the address is valid");
    let password = || Password::parse(black_box(PASSWORD).into(), &policy);
    let kept = password().expect("the password is acceptable");

    criterion.bench_function("email", |b| b.iter(|| Email::parse(black_box(EMAIL))));
    criterion.bench_function("email, international", |b| b.iter(|| Email::parse(black_box("jürgen@bücher.example"))));
    criterion.bench_function("username", |b| b.iter(|| Username::parse(black_box(USERNAME))));
    criterion.bench_function("password", |b| b.iter(|| password().is_ok()));
    criterion.bench_function("common password, absent", |b| b.iter(|| common_passwords::contains(black_box(PASSWORD))));
    criterion
        .bench_function("common password, present", |b| b.iter(|| common_passwords::contains(black_box("Iloveyou1"))));
    criterion.bench_function("bucket", |b| b.iter(|| Bucket::of(&routing_key, black_box(&email))));
    criterion.bench_function("weak record", |b| {
        b.iter(|| {
            let record = peppers.newest().record(black_box(Salt::new([1; 16])), black_box(&kept));
            black_box(record.as_str());
        });
    });
    criterion.bench_function("id and its text", |b| {
        let bucket = Bucket::of(&routing_key, &email);
        b.iter(|| black_box(UserId::new(black_box(1_738_324_800_000), bucket, [1; 8]).encode(&mut [0; 36])).len());
    });
    criterion.bench_function("salt and random part of an id", |b| {
        b.iter(|| (random.bytes::<16>().ok(), random.bytes::<8>().ok()));
    });
    criterion.bench_function("validation", |b| {
        b.iter(|| (Email::parse(black_box(EMAIL)), Username::parse(black_box(USERNAME)), password().is_ok()));
    });
    criterion.bench_function("registration", |b| {
        b.iter(|| {
            let email = Email::parse(black_box(EMAIL)).ok()?;
            let username = Username::parse(black_box(USERNAME)).ok()?;
            let password = password().ok()?;
            let id = UserId::new(1_738_324_800_000, Bucket::of(&routing_key, &email), random.bytes().ok()?);
            let record = peppers.newest().record(Salt::new(random.bytes().ok()?), &password);
            black_box(record.as_str());
            Some((email, username, id))
        });
    });
    criterion.final_summary();
}
