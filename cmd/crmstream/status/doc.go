// Package status gathers what an operator looks at first: who is in the group, who
// holds which partition and how far it is behind, and which tenants are worst off. In:
// the group's description, the topics' ends, each member's own status over HTTP, and
// sync.health. Out: one Report.
//
// It reads only, and works from any machine that reaches Kafka and the members.
package status
