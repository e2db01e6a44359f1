/** Injection token of the router in its admin controllers. */
export const ROUTER = Symbol('router');
