// Registrations that come at ten times the rate for a while. What the server cannot take meanwhile it may refuse, if it
// says when to come back; before the spike and after it every registration has to be confirmed.

import { check } from 'k6';
import { call, load, newUser, progress, requireServer, runName } from './jeday.js';

const BEGINS = 0.3;
const ENDS = 0.6;
const RAMP = 0.02;
// What was asked during the spike may still be answered: the time after it begins when that is over.
const OVER = 0.7;
const FACTOR = 10;

const { options, handleSummary, shape } = load({
    name: 'spike',
    vus: 20,
    duration: '1m',
    operations: ['register_before', 'register_spike', 'register_after'],
    p95Ms: 3000,
    stages: [
        [BEGINS, 1],
        [RAMP, FACTOR],
        [ENDS - BEGINS - RAMP, FACTOR],
        [RAMP, 1],
        [1 - ENDS - RAMP, 1],
    ],
});

export { options, handleSummary };

export function setup() {
    requireServer();
    return runName();
}

export default function (run) {
    const now = progress(shape);
    const calm = now < BEGINS || now > OVER;
    const phase = now < BEGINS ? 'before' : now > OVER ? 'after' : 'spike';
    const expected = calm ? [201] : [201, 503];
    const response = call(`register_${phase}`, 'POST', '/auth/register', { body: newUser(run), expected });
    if (response.status === 503) {
        check(response, { 'a refusal says when to come back': () => Number(response.headers['Retry-After']) > 0 });
    }
}
