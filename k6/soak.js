// The mix for hours. What matters is the difference between its first tenth and its last: what leaks or grows shows there.

import { load, progress } from './jeday.js';
import { OPERATIONS, act, open } from './sessions.js';

// Frequent enough for percentiles of a tenth of the time.
const COMPARED = ['me', 'refresh', 'register'];

const { options, handleSummary, shape } = load({
    name: 'soak',
    vus: 10,
    duration: '2h',
    operations: [
        ...OPERATIONS,
        ...COMPARED.flatMap((operation) => [`${operation}_first_tenth`, `${operation}_last_tenth`]),
    ],
    p95Ms: 3000,
});

export { options, handleSummary };

export const setup = () => open(shape.vus);

export default function (data) {
    const now = progress(shape);
    const tenth = now < 0.1 ? '_first_tenth' : now > 0.9 ? '_last_tenth' : '';
    act(data, (operation) => (COMPARED.includes(operation) ? operation + tenth : operation));
}
