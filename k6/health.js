// The readiness check and nothing else: what HTTP costs before anything is done. Touches no database.

import { call, load, requireServer } from './jeday.js';

export const { options, handleSummary } = load({
    name: 'health',
    vus: 10,
    duration: '30s',
    operations: ['health'],
    p95Ms: 100,
});

export const setup = requireServer;

export default function () {
    call('health', 'GET', '/health', { expected: [200] });
}
