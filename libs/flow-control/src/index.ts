export { createFlowControl, FlowControl } from './flow-control.ts';
export type { BandView, Displaced, FlowHost, Offered, Shed, ShedReason } from './flow-control.ts';
export { FLOW_CONTROL_DEFAULTS, OTHER_TENANTS } from './options.ts';
export type { FlowControlOptions } from './options.ts';
export type { FlowRequest, Placement, Room, TicketState } from './ticket.ts';
export { Ticket } from './ticket.ts';
export { Line } from './line.ts';
