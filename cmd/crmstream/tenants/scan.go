package tenants

import "context"

// Scan calls each for every value that is on a topic now, in the order of each
// partition, and returns the topic's number of partitions. What can't be decoded is
// passed over, and so are tombstones.
func (r *Registry) Scan(ctx context.Context, topic string, each func(v any)) (int32, error) {
	return r.scan(ctx, topic, each)
}
