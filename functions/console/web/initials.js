/** Initials of people and organizations. */

const MOST = 2;

/**
 * Return the first letters of the first words of a name.
 * @param {string} name
 */
export function initialsOf(name) {
  const words = name.split("@")[0].split(/[\s._-]+/).filter(Boolean).slice(0, MOST);
  return words.map((word) => [...word][0].toLocaleUpperCase()).join("");
}
