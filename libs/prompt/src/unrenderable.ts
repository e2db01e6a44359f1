/** Thrown inside the package where a request has no rendering; its door turns it into an answer with this reason. */
export class Unrenderable extends Error {}
