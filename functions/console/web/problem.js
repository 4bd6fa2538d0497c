/** The document of a refusal (RFC 9457). */

/**
 * Return the members of the problem in a body, and none if it is something else.
 * @param {string} text
 * @returns {Record<string, any>}
 */
export function parseProblem(text) {
  try {
    const problem = JSON.parse(text);
    return problem !== null && typeof problem === "object" ? problem : {};
  } catch {
    return {};
  }
}
