// What every scenario stands on: the environment, the load's shape, requests that are checked and timed, the summary.
// Knows the API's paths and codes; never which requests a scenario makes, nor in which order.

import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter, Trend } from 'k6/metrics';

export const BASE_URL = (__ENV.BASE_URL || 'http://127.0.0.1:8080').replace(/\/+$/, '');

// Setting load up may mean thousands of registrations and logins.
const SETUP_TIMEOUT = '10m';

// What a summary's percentiles come from: k6's name of each, and the member that has it.
const STATISTICS = { count: 'count', avg: 'mean_ms', med: 'p50_ms', 'p(95)': 'p95_ms', 'p(99)': 'p99_ms', max: 'max_ms' };

// Beside the server's own codes: no HTTP reply came at all, and a failure without a problem document, as of a proxy.
const NO_REPLY = 'no_reply';
const NO_CODE = 'no_code';

// A counter for each code: k6 reports the values of a tag only where a threshold names them.
const errors = {};
for (const code of [NO_REPLY, NO_CODE, ...codes(JSON.parse(open('../openapi.json')))]) {
    errors[code] = new Counter(`error_${code}`);
}

const durations = {};

function codes(openapi) {
    return Object.values(openapi.components.responses).flatMap((response) => {
        const { schema } = (response.content || {})['application/problem+json'] || {};
        const { code } = schema ? schema.allOf[1].properties : {};
        return code ? code.enum : [];
    });
}

function number(name, preset) {
    const value = Number(__ENV[name] || preset);
    if (!(value > 0)) {
        throw new Error(`${name}=${__ENV[name]} is no number above 0`);
    }
    return value;
}

// The seconds of k6's own durations, such as 90s, 10m or 1h30m.
function seconds(text) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
    const total = parts.reduce((sum, [, value, unit]) => sum + value * { ms: 0.001, s: 1, m: 60, h: 3600 }[unit], 0);
    if (parts.map((part) => part[0]).join('') !== text || total === 0) {
        throw new Error(`DURATION=${text} is no duration such as 30s, 10m or 1h30m`);
    }
    return total;
}

// The load that the environment asks for. Without RATE the model is closed: each virtual user begins an iteration when
// its last one has ended, so a slow server is asked less. With RATE it is open: iterations begin at that rate whatever
// the server does, and those that no virtual user was free for are dropped and counted.
//
//   name         the scenario's own
//   vus          virtual users unless VUS says otherwise; in the open model, how many iterations may be under way
//   duration     unless DURATION says otherwise
//   operations   what it times: the first arguments of its calls
//   p95Ms        threshold of each operation unless P95_MS says otherwise; a scenario is no benchmark, so generous
//   stages       [share of the duration, factor] pairs: the load goes in a line to that multiple of VUS or RATE
export function load({ name, vus, duration, operations, p95Ms, stages }) {
    const open = Boolean(__ENV.RATE);
    const shape = {
        vus: Math.ceil(number('VUS', open ? vus * 10 : vus)),
        seconds: seconds(__ENV.DURATION || duration),
        rate: open ? number('RATE') : null,
    };
    const dropped = open ? Math.max(1, Math.ceil(0.01 * shape.rate * shape.seconds)) : null;
    for (const operation of operations) {
        durations[operation] = new Trend(`${operation}_duration`, true);
    }
    const thresholds = { checks: ['rate>0.999'], iterations: ['count>0'] };
    for (const operation of operations) {
        thresholds[`${operation}_duration`] = [`p(95)<${number('P95_MS', p95Ms)}`];
    }
    if (open) {
        thresholds.dropped_iterations = [`count<${dropped}`];
    }
    return {
        options: {
            scenarios: { [name]: executor(shape, stages) },
            thresholds,
            setupTimeout: SETUP_TIMEOUT,
            summaryTrendStats: Object.keys(STATISTICS),
        },
        shape,
        handleSummary: (data) => {
            const found = summarize(name, shape, operations, data);
            const output = { stdout: asText(found) };
            if (__ENV.SUMMARY) {
                output[__ENV.SUMMARY] = `${JSON.stringify(found, null, 2)}\n`;
            }
            return output;
        },
    };
}

function executor({ vus, rate, seconds }, stages) {
    const ramp = (whole) => (stages || []).map(([share, factor]) => ({
        duration: `${Math.round(share * seconds * 1000)}ms`,
        target: Math.max(1, Math.round(whole * factor)),
    }));
    if (rate === null) {
        return stages
            ? { executor: 'ramping-vus', startVUs: vus, stages: ramp(vus) }
            : { executor: 'constant-vus', vus, duration: `${seconds}s` };
    }
    // k6 takes whole numbers only: a rate is counted over as many seconds as make it one.
    const unit = Number.isInteger(rate) ? 1 : 100;
    const arrivals = { preAllocatedVUs: vus, timeUnit: `${unit}s` };
    return stages
        ? { executor: 'ramping-arrival-rate', startRate: Math.round(rate * unit), stages: ramp(rate * unit), ...arrivals }
        : { executor: 'constant-arrival-rate', rate: Math.round(rate * unit), duration: `${seconds}s`, ...arrivals };
}

// How much of the scenario's time has passed, 0 to 1.
export function progress(shape) {
    return Math.min(1, (Date.now() - exec.scenario.startTime) / 1000 / shape.seconds);
}

const expecting = {};

function expectedStatuses(statuses) {
    const key = statuses.join(' or ');
    expecting[key] = expecting[key] || http.expectedStatuses(...statuses);
    return [key, expecting[key]];
}

// What k6's http takes, as an array, for a request that is answered with one of `expected` when all is well.
export function request(method, path, { body, token, expected }) {
    const headers = {};
    if (body) {
        headers['Content-Type'] = 'application/json';
    }
    if (token) {
        headers.Authorization = `Bearer ${token}`;
    }
    const [, responseCallback] = expectedStatuses(expected);
    const params = { headers, responseCallback, tags: { name: `${method} ${path}` } };
    return [method, BASE_URL + path, body ? JSON.stringify(body) : null, params];
}

// Times an operation, counts its problem by code, and checks its status. `operation` is one of the scenario's.
export function observe(operation, response, expected) {
    durations[operation].add(response.timings.duration);
    count(response);
    const [statuses] = expectedStatuses(expected);
    check(response, { [`${operation} is answered with ${statuses}`]: ({ status }) => expected.includes(status) });
    return response;
}

function count(response) {
    if (response.status === 0) {
        errors[NO_REPLY].add(1);
    } else if (response.status >= 400) {
        (errors[problem(response)] || errors[NO_CODE]).add(1);
    }
}

// The code of a refusal, or undefined where there is none.
export function problem(response) {
    try {
        return response.json('code');
    } catch {
        return undefined;
    }
}

// One request from begin to end.
export function call(operation, method, path, settings) {
    return observe(operation, http.request(...request(method, path, settings)), settings.expected);
}

// A name that no other run has: what is registered stays in the database.
export function runName() {
    return `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;
}

// A user that nobody has registered in this run, as the body of a registration.
export function newUser(run) {
    const { vu } = exec;
    return user(run, `${vu.idInTest}-${vu.iterationInInstance}`);
}

export function user(run, name) {
    return { email: `k6-${run}-${name}@load.example`, username: 'k6', password: `pass word ${run} ${name}` };
}

export function credentials({ email, password }) {
    return { email, password };
}

// For setup(): waits for nothing, and ends the test with a sentence when there is no server.
export function requireServer() {
    const response = http.get(`${BASE_URL}/health/ready`);
    if (response.status !== 200) {
        const found = response.status === 0 ? response.error : `it answered ${response.status}`;
        exec.test.abort(`no Jeday that is ready at ${BASE_URL}: ${found}; BASE_URL says where it is`);
    }
}

// For setup(): sends all of it, some at a time, and ends the test unless each is answered with `status`.
export function prepare(requests, status) {
    const responses = http.batch(requests);
    const failed = responses.find((response) => response.status !== status);
    if (failed) {
        exec.test.abort(`setting up: ${failed.request.url} answered ${failed.status} ${failed.error || failed.body}`);
    }
    return responses;
}

// For setup(): this many registered users.
export function registered(run, count) {
    const users = Array.from({ length: count }, (_, number) => user(run, `account-${number}`));
    prepare(users.map((body) => request('POST', '/auth/register', { body, expected: [201] })), 201);
    return users;
}

// The one of a list that belongs to this virtual user; it has one for each.
export function own(list) {
    return list[(exec.vu.idInTest - 1) % list.length];
}

function summarize(name, shape, operations, { metrics, state }) {
    const value = (metric, member) => (metrics[metric] ? metrics[metric].values[member] : 0);
    const timed = {};
    for (const operation of operations) {
        const values = (metrics[`${operation}_duration`] || { values: {} }).values;
        const members = Object.entries(STATISTICS).map(([statistic, member]) => [member, values[statistic] || 0]);
        timed[operation] = Object.fromEntries(members);
    }
    const found = Object.keys(errors).map((code) => [code, value(`error_${code}`, 'count')]);
    const thresholds = Object.entries(metrics).flatMap(([metric, { thresholds }]) =>
        Object.entries(thresholds || {}).map(([threshold, { ok }]) => ({ metric, threshold, ok })),
    );
    thresholds.sort((one, other) => (one.metric < other.metric ? -1 : 1));
    const requests = Object.values(timed).reduce((sum, { count }) => sum + count, 0);
    return {
        scenario: name,
        base_url: BASE_URL,
        model: shape.rate === null ? 'closed' : 'open',
        virtual_users: shape.vus,
        rate_per_s: shape.rate,
        duration_s: shape.seconds,
        elapsed_s: state.testRunDurationMs / 1000,
        iterations: value('iterations', 'count'),
        dropped_iterations: value('dropped_iterations', 'count'),
        requests,
        requests_per_s: requests / shape.seconds,
        checks_passed: value('checks', 'passes'),
        checks_failed: value('checks', 'fails'),
        operations: timed,
        errors: Object.fromEntries(found.filter(([, count]) => count > 0)),
        thresholds,
        passed: thresholds.every(({ ok }) => ok),
    };
}

function asText(found) {
    const cell = (value) => (typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(value < 10 ? 2 : 0) : `${value}`).padStart(10);
    const columns = ['count', 'p50_ms', 'p95_ms', 'p99_ms', 'max_ms'];
    const load = found.model === 'open'
        ? `open model, ${found.rate_per_s} iterations/s by at most ${found.virtual_users} virtual users`
        : `closed model, ${found.virtual_users} virtual users`;
    const lines = [
        '',
        `${found.scenario}: ${load}, ${found.duration_s} s at ${found.base_url}`,
        `${found.requests_per_s.toFixed(0)} requests/s, ${found.iterations} iterations, ${found.dropped_iterations} dropped`,
        '',
        `${''.padEnd(20)}${['count', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms'].map(cell).join('')}`,
    ];
    for (const [operation, values] of Object.entries(found.operations)) {
        lines.push(`${operation.padEnd(20)}${columns.map((column) => cell(values[column])).join('')}`);
    }
    lines.push('', 'problems by code, those that were expected with them:');
    const problems = Object.entries(found.errors).map(([code, count]) => `  ${code.padEnd(28)}${count}`);
    lines.push(...(problems.length > 0 ? problems : ['  none']), '');
    for (const { metric, threshold, ok } of found.thresholds) {
        lines.push(`${ok ? 'kept  ' : 'BROKEN'} ${metric} ${threshold}`);
    }
    return `${lines.join('\n')}\n\n`;
}
