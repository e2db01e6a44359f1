export { createFlowControl, FlowControl } from './flow-control.ts';
export type { BandView } from './band-view.ts';
export type { Bound, Displaced, FlowHost, Offered, Shed, ShedReason } from './outcomes.ts';
export { FLOW_CONTROL_DEFAULTS, OTHER_TENANTS } from './options.ts';
export type { FlowControlOptions } from './options.ts';
export type { FlowRequest, Placement, Room, TicketState } from './ticket.ts';
export { Ticket } from './ticket.ts';
export { Line } from './line.ts';
