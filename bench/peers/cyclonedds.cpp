#include <dds/dds.h>
#include <dds/version.h>

#include <cstdlib>
#include <string>

#include "bench/driver.hpp"
#include "bench/peers/peers.hpp"
#include "bench/systems.hpp"
#include "bench/time.hpp"

#include <payload.h>  // made by idlc from payload.idl

// Cyclone DDS without a broker: reliable, everything kept until it is acknowledged, over the
// loopback interface without multicast. With write batching, as its documentation advises for small
// messages: what is gathered leaves when it is flushed, or 1 ms later.

namespace abuzz::bench {
namespace {

constexpr int kept_samples = 4096;
constexpr std::size_t taken_at_once = 64;

// Shared memory and multicast are left out: neither is there on every machine.
constexpr const char* configuration =
    "<Domain Id=\"any\"><General><Interfaces><NetworkInterface name=\"lo\" multicast=\"false\"/>"
    "</Interfaces><AllowMulticast>false</AllowMulticast></General>"
    "<Discovery><ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>60"
    "</MaxAutoParticipantIndex><Peers><Peer address=\"127.0.0.1\"/></Peers></Discovery>"
    "<Internal><Watermarks><WhcHigh>8MB</WhcHigh></Watermarks></Internal></Domain>";

class CycloneDriver final : public Driver {
 public:
  explicit CycloneDriver(const RoleOptions& options) : options_(options), ends_(ends_of(options)) {}
  ~CycloneDriver() override {
    if (participant_ > 0) dds_delete(participant_);
    if (domain_ > 0) dds_delete(domain_);
  }

  bool open(const Sink& sink) override {
    sink_ = sink;
    // Runs of this machine do not hear each other: the domain follows from the directory.
    const auto number =
        static_cast<dds_domainid_t>(std::hash<std::string>{}(options_.directory) % 200 + 20);
    domain_ = dds_create_domain(number, configuration);
    participant_ = dds_create_participant(number, nullptr, nullptr);
    if (participant_ < 0) return fail(dds_strretcode(-participant_));
    is_batching_ = ends_.in.empty();
    dds_write_set_batch(is_batching_);
    if (!ends_.out.empty() && !open_writer()) return false;
    if (!ends_.in.empty() && !open_reader()) return false;
    // Who is there before its readers waits for them with the first sample.
    return options_.role == "ponger" || ends_.out.empty() || await_readers();
  }
  bool send(std::span<const std::byte> payload) override {
    if (!is_matched_ && !await_readers()) return false;
    abuzz_bench_Payload sample{};
    sample.bytes._maximum = sample.bytes._length = static_cast<std::uint32_t>(payload.size());
    sample.bytes._buffer = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(payload.data()));
    const dds_return_t code = dds_write(writer_, &sample);
    return code == DDS_RETCODE_OK || fail(dds_strretcode(-code));
  }
  bool flush() override {
    if (is_batching_) dds_write_flush(writer_);
    return true;
  }
  bool finish_sending() override {
    flush();
    const dds_return_t code = dds_wait_for_acks(writer_, DDS_SECS(30));
    return code == DDS_RETCODE_OK || fail(dds_strretcode(-code));
  }
  bool receive(std::int64_t patience_ns) override {
    void* samples[taken_at_once] = {};
    dds_sample_info_t facts[taken_at_once];
    const dds_return_t count = dds_take(reader_, samples, facts, taken_at_once, taken_at_once);
    if (count < 0) return fail(dds_strretcode(-count));
    for (dds_return_t index = 0; index < count; ++index) {
      if (!facts[index].valid_data) continue;
      const auto& payload = *static_cast<const abuzz_bench_Payload*>(samples[index]);
      sink_(std::as_bytes(std::span(payload.bytes._buffer, payload.bytes._length)));
      ++taken_;
    }
    if (count > 0) {
      dds_return_loan(reader_, samples, count);
      return true;
    }
    dds_attach_t found;
    (void)dds_waitset_wait(waitset_, &found, 1, patience_ns);
    return true;
  }
  std::uint64_t taken() const noexcept override { return taken_; }

 private:
  dds_qos_t* quality() const {
    dds_qos_t* qos = dds_create_qos();
    dds_qset_reliability(qos, DDS_RELIABILITY_RELIABLE, DDS_SECS(30));
    dds_qset_history(qos, DDS_HISTORY_KEEP_ALL, 0);
    dds_qset_resource_limits(qos, kept_samples, 1, kept_samples);
    return qos;
  }
  dds_entity_t topic(const std::string& name) {
    return dds_create_topic(participant_, &abuzz_bench_Payload_desc, name.c_str(), nullptr,
                            nullptr);
  }
  bool open_writer() {
    dds_qos_t* qos = quality();
    writer_ = dds_create_writer(participant_, topic(ends_.out), qos, nullptr);
    dds_delete_qos(qos);
    return writer_ > 0 || fail(dds_strretcode(-writer_));
  }
  bool open_reader() {
    dds_qos_t* qos = quality();
    reader_ = dds_create_reader(participant_, topic(ends_.in), qos, nullptr);
    dds_delete_qos(qos);
    if (reader_ < 0) return fail(dds_strretcode(-reader_));
    waitset_ = dds_create_waitset(participant_);
    dds_set_status_mask(reader_, DDS_DATA_AVAILABLE_STATUS);
    dds_waitset_attach(waitset_, reader_, 0);
    return true;
  }
  // What is written before a reader is discovered is not for it.
  bool await_readers() {
    const unsigned wanted = options_.role == "publisher" ? options_.sinks : 1;
    const std::int64_t deadline_ns = now_ns() + 10 * second_ns;
    dds_publication_matched_status_t matched{};
    while (true) {
      dds_get_publication_matched_status(writer_, &matched);
      if (matched.current_count >= wanted) break;
      if (now_ns() > deadline_ns) return fail("the readers were not discovered");
      dds_sleepfor(DDS_MSECS(5));
    }
    is_matched_ = true;
    return true;
  }

  const RoleOptions options_;
  const Ends ends_;
  Sink sink_;
  dds_entity_t domain_ = 0, participant_ = 0, writer_ = 0, reader_ = 0, waitset_ = 0;
  bool is_batching_ = false, is_matched_ = false;
  std::uint64_t taken_ = 0;
};

}  // namespace

const System cyclonedds_system = {
    .name = "cyclonedds",
    .route = "DDS over udp on loopback, reliable, keep all, write batching for one-way traffic",
    .waiting = "a waitset, blocking in the kernel; threads of the library receive",
    .hub = nullptr,
    .make_driver = [](const RoleOptions& options) -> std::unique_ptr<Driver> {
      return std::make_unique<CycloneDriver>(options);
    },
    .versions = [] { return std::string("Cyclone DDS " DDS_VERSION); },
};

}  // namespace abuzz::bench
