//! One Argon2id hash over memory that is kept: both engines, at the default and at OWASP's least. What a password core
//! can do is the inverse of it. `wipe` is what idle memory costs once.

use std::hint::black_box;

use criterion::Criterion;
use jeday::hardening::self_test::Distrust;
use jeday::hardening::{Engine, HashMemory, Preset};

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(40);
    let engines = [
        ("fast", Engine::Fast { instructions: "chosen by the CPU" }),
        ("reference", Engine::Reference { reason: Distrust::NoVectorInstructions }),
    ];
    for preset in [Preset::Default, Preset::Owasp19M] {
        let params = preset.params();
        for (name, engine) in engines {
            let mut memory = HashMemory::new(engine, params).expect("there is memory for a hash");
            memory.wipe();
            criterion.bench_function(&format!("{name}, {params}"), |b| {
                let mut tag = [0; 32];
                b.iter(|| {
                    memory.hash(params, black_box(&[7; 32]), black_box(&[8; 16]), &mut tag).expect("it hashes");
                    tag
                });
            });
            criterion.bench_function(&format!("{name}, {params}, wipe"), |b| b.iter(|| memory.wipe()));
        }
    }
    criterion.final_summary();
}
