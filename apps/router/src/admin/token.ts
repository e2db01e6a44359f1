/** Injection token of the router in its admin controllers. */
export const ROUTER = Symbol('router');
/** Injection token of the live view's stream. */
export const LIVE = Symbol('live');
