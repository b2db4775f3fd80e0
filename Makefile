# Every target with a text behind "##" is listed by `make help`.
GO ?= go
PKGS ?= ./...
GOLANGCI = v2.5.0
# The packages whose tests run under the race detector in `make race`.
RACE = ./schemas/... ./state/... ./pipeline/... ./connectors/...
# The packages whose tests run on Apache Kafka in `make test-kafka`.
KAFKA_TESTS = ./pipeline/run

.DEFAULT_GOAL := help
.PHONY: help build test demo-mixed demo-kafka test-kafka test-kafka-defaults ownership race lint bench bench-kafka bench-peer crash crash-short crash-kafka scale scale-short mutants clients-kafka python generate fuzz fuzz-rules check

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-19s %s\n", $$1, $$2}'

build: ## build bin/crmstream, static
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/crmstream ./cmd/crmstream
	@echo "run: bin/crmstream demo"

test: ## the hermetic suite: Go alone, no network beyond loopback, under 6 minutes
	$(GO) test -timeout 360s $(PKGS)

test-kafka: ## the shell's suite on Apache Kafka and Apicurio Registry: needs java, and mvn the first time
	$(GO) test -count=1 -timeout 300s ./internal/kafkalane -args -lane
	$(GO) build -o bin/withkafka ./internal/kafkalane/withkafka
	bin/withkafka -- $(GO) test -count=1 -p 1 -timeout 600s $(KAFKA_TESTS)

test-kafka-defaults: ## the same with the broker's own settings
	$(GO) build -o bin/withkafka ./internal/kafkalane/withkafka
	bin/withkafka -defaults -- $(GO) test -count=1 -p 1 -timeout 900s $(KAFKA_TESTS)

demo-mixed: ## three tenants with mappings of their own (a script, custom objects, two CRMs), counted in the simulators
	$(GO) build -o bin/crmstream ./cmd/crmstream
	bin/crmstream demo --mixed --calls 300 --exit --output json --ports auto --data "$$(mktemp -d)"

demo-kafka: ## the same on Apache Kafka
	$(GO) build -o bin/withkafka ./internal/kafkalane/withkafka
	$(GO) build -o bin/crmstream ./cmd/crmstream
	bin/withkafka -- sh -c 'bin/crmstream demo --mixed --calls 300 --exit --output json --ports auto --data "$$(mktemp -d)" --brokers "$$CRMSTREAM_TEST_BROKERS" --registry "$$CRMSTREAM_TEST_REGISTRY"'

ownership: ## 20 rounds of joins, leaves, cuts and deaths of members, by seed
	$(GO) test -count=1 -timeout 900s -run TestOwnership ./pipeline/run -args -ownership.rounds 20

race: ## the core packages under the race detector
	$(GO) test -race -short -timeout 900s $(RACE)

lint: ## vet, formatting and the project's own rules
	$(GO) vet ./...
	@files=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$files" ]; then echo "not gofmt-ed: $$files"; exit 1; fi
	$(GO) test -count=1 ./internal/house
	@if command -v golangci-lint >/dev/null 2>&1; then golangci-lint run; else echo "golangci-lint is not installed: skipped (go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI))"; fi

check: lint test ## what a change must pass before it is pushed

bench: ## the speeds that docs/performance.md quotes of the embedded broker, as ratios in one run
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 300s ./internal/bench

bench-kafka: ## the same on Apache Kafka
	$(GO) build -o bin/withkafka ./internal/kafkalane/withkafka
	bin/withkafka -- $(GO) test -count=1 -run '^$$' -bench . -benchtime 1x -timeout 600s ./internal/bench

bench-peer: ## the contact merge beside Kafka Streams on the same work and broker: needs java and mvn
	$(GO) build -o bin/bench-peer ./bench/peer
	bin/bench-peer

crash: ## 20,000 calls over 50 tenants, 20 kills of the pipeline and 5 of the broker, counted in the simulators
	$(GO) run ./internal/crash -calls 20000 -tenants 50 -kills 20 -broker-kills 5

crash-short: ## the same with 2,000 calls, 4 kills of the pipeline and 2 of the broker
	$(GO) run ./internal/crash -calls 2000 -tenants 10 -kills 4 -broker-kills 2 -rate 100

scale: ## three processes share Apache Kafka, then crmstream broker: 20 of them killed, stopped or gone by turns, counted in the simulators
	$(GO) run ./internal/crash -kafka -processes 3 -calls 16000 -tenants 48 -rate 100 -kills 7 -pauses 7 -leaves 6 -broker-kills 0 -held 0.01 -late 0.01
	$(GO) run ./internal/crash -processes 3 -calls 16000 -tenants 48 -rate 100 -kills 7 -pauses 7 -leaves 6 -broker-kills 0 -held 0.01 -late 0.01

scale-short: ## the same on Apache Kafka with 3,000 calls and 4 of them
	$(GO) run ./internal/crash -kafka -processes 3 -calls 3000 -tenants 24 -rate 100 -kills 2 -pauses 1 -leaves 1 -broker-kills 0 -held 0.02 -late 0.02

crash-kafka: ## the crash run on Apache Kafka, which is killed 5 times as well
	$(GO) run ./internal/crash -kafka -calls 20000 -tenants 50 -kills 20 -broker-kills 5

clients-kafka: ## clients of other makers on the embedded broker: kcat, confluent-kafka, Java, kafkajs
	$(GO) run ./internal/clients

mutants: ## one mutation per promise and more, each killed by a test that docs/promises.md names: about 12 minutes
	$(GO) run ./internal/mutants

python: ## a foreign producer and consumer (confluent-kafka) against the embedded broker
	docs/examples/python/run.sh

generate: ## renew what is generated: docs/topics.md
	$(GO) generate ./...

fuzz-rules: ## what admins write and scripts do, half a minute each and more: configuration, script host, transforms
	$(GO) test -run '^$$' -fuzz '^FuzzDocuments$$' -fuzztime 20000x ./cmd/crmstream/config
	$(GO) test -run '^$$' -fuzz '^FuzzHost$$' -fuzztime 20000x ./pipeline/script
	$(GO) test -run '^$$' -fuzz '^FuzzTransforms$$' -fuzztime 300000x ./pipeline/mapping

fuzz: ## every fuzzer for a short while
	@for t in $$(grep -rlE '^func Fuzz' --include='*_test.go' . | sort); do \
	  d=./$$(dirname $$t); for f in $$(grep -oE '^func Fuzz[A-Za-z0-9_]+' $$t | cut -c6-); do \
	  echo "$$d $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 10s $$d || exit 1; done; done
