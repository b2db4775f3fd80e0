package registry

import "github.com/twmb/avro"

const defaultLevel = "BACKWARD"

// levelOf is the compatibility level that a subject has, its own or the global one.
func (s *Server) levelOf(name string) string {
	if sub := s.subjects[name]; sub != nil && sub.config != "" {
		return sub.config
	}
	return s.config
}

// incompatible says why text may not follow what the subject has, "" if it may.
func (s *Server) incompatible(name, text string) string {
	sub := s.subjects[name]
	if sub == nil {
		return ""
	}
	vs := sub.live(false)
	if len(vs) > 1 && !transitive(s.levelOf(name)) {
		vs = vs[len(vs)-1:]
	}
	return against(s.levelOf(name), text, vs)
}

// against says why text may not follow these versions under a level, "" if it may.
func against(level, text string, vs []*version) string {
	if level == "NONE" || len(vs) == 0 {
		return ""
	}
	next, err := avro.Parse(text)
	if err != nil {
		return err.Error()
	}
	for _, v := range vs {
		old, err := avro.Parse(v.Schema)
		if err != nil {
			continue
		}
		if backward(level) {
			if _, err := avro.Resolve(old, next); err != nil {
				return err.Error()
			}
		}
		if forward(level) {
			if _, err := avro.Resolve(next, old); err != nil {
				return err.Error()
			}
		}
	}
	return ""
}

var levels = map[string][3]bool{ // backward, forward, transitive
	"NONE": {}, "BACKWARD": {true}, "FORWARD": {false, true}, "FULL": {true, true},
	"BACKWARD_TRANSITIVE": {true, false, true}, "FORWARD_TRANSITIVE": {false, true, true}, "FULL_TRANSITIVE": {true, true, true},
}

func backward(level string) bool   { return levels[level][0] }
func forward(level string) bool    { return levels[level][1] }
func transitive(level string) bool { return levels[level][2] }
