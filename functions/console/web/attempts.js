/** Keys for requests that are repeated after a time-out. */

/** Return a function that gives each body its `Idempotency-Key`, the same one until the body changes. */
export function idempotencyKeys() {
  const attempt = { text: "", id: "" };
  return (/** @type {unknown} */ body) => {
    const text = JSON.stringify(body);
    if (text !== attempt.text) Object.assign(attempt, { text, id: crypto.randomUUID() });
    return attempt.id;
  };
}
