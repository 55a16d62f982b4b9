#include "bus/node/admission.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "bus/topic.hpp"
#include "bus/wire/layout.hpp"

namespace abuzz::node {
namespace {

// It is printed on terminals: no control characters. Our agents refuse what is changed here.
void make_printable(std::string& text, std::size_t bytes_max) {
  if (text.size() > bytes_max) text.resize(bytes_max);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 127) c = '?';
  }
}

Result<std::uint8_t> choose_version(const wire::DoorHead& head) {
  const std::uint8_t highest = std::min(head.version_max, wire::version_current);
  if (head.version_min <= head.version_max && highest >= wire::version_oldest &&
      highest >= head.version_min) {
    return highest;
  }
  char text[128];
  std::snprintf(text, sizeof text, "the node speaks versions %d to %d, the agent %d to %d",
                wire::version_oldest, wire::version_current, head.version_min, head.version_max);
  return Failure{Error::version_mismatch, text};
}

// An agent that was here before, on this node or on its predecessors, keeps its id.
Status judge_return(Admission& admission, const GuestList& guests, const base::Key128& key) {
  const wire::DoorHello& hello = admission.hello;
  base::Mac128 token{};
  if (hello.token.size() == token.size()) {
    std::memcpy(token.data(), hello.token.data(), token.size());
  }
  if (hello.token.size() != token.size() ||
      !base::equal_constant_time(token, agent_token(key, hello.agent_id))) {
    return Failure{Error::denied, "the token is not that of the agent id"};
  }
  admission.agent_id = hello.agent_id;
  const Guest* live = guests.find_agent(hello.agent_id);
  if (live == nullptr) return Done{};
  if (hello.session_epoch <= live->session_epoch) {
    return Failure{Error::denied, "session " + std::to_string(hello.session_epoch) +
                                      " of the agent is not newer than its session " +
                                      std::to_string(live->session_epoch)};
  }
  admission.supersedes = live->id;
  return Done{};
}

void judge_arrival(Admission& admission, const GuestList& guests, std::uint64_t agent_id_next) {
  admission.is_new_agent = true;
  admission.agent_id = agent_id_next;
  if (!admission.hello.name.empty()) return;
  while (guests.find_name(made_up_name(admission.agent_id)) != nullptr) ++admission.agent_id;
}

Status judge_name(Admission& admission, const GuestList& guests) {
  std::string& name = admission.hello.name;
  if (name.empty()) name = made_up_name(admission.agent_id);
  const TopicFault fault = check_agent_name(name);
  if (fault != TopicFault::none) return Failure{Error::bad_agent_name, topic_fault_text(fault)};
  const Guest* holder = guests.find_name(name);
  if (holder != nullptr && holder->id != admission.supersedes) {
    return Failure{Error::agent_name_taken, name};
  }
  return Done{};
}

Status judge_limits(const Admission& admission, const GuestList& guests, const NodeConfig& limits) {
  const std::size_t others = guests.count() - (admission.supersedes != 0 ? 1 : 0);
  // Each agent has a link of its own so far: whichever limit is lower is the one that is met.
  if (others >= limits.links_max) {
    return Failure{Error::links_limit, "node.links_max is " + std::to_string(limits.links_max)};
  }
  if (others >= limits.agents_max) {
    return Failure{Error::agents_limit, "node.agents_max is " + std::to_string(limits.agents_max)};
  }
  return Done{};
}

}  // namespace

std::string made_up_name(std::uint64_t agent_id) {
  char text[32];
  std::snprintf(text, sizeof text, "agent-%llx", static_cast<unsigned long long>(agent_id));
  return text;
}

Result<Admission> judge_hello(std::span<const std::byte> datagram, const GuestList& guests,
                              const Config& config, const NodeIdentity& identity,
                              std::uint64_t agent_id_next) {
  wire::DoorHead head;
  const wire::Reject head_fault = wire::read_door_head(datagram, head);
  if (head_fault != wire::Reject::none) {
    return Failure{Error::bad_frame, wire::reject_name(head_fault)};
  }
  if (head.kind != wire::DoorKind::hello) return Failure{Error::bad_frame, "no hello"};
  Result<std::uint8_t> version = choose_version(head);
  if (!version.ok()) return version.failure();
  Admission admission;
  admission.version = version.value();
  const wire::Reject body_fault = wire::read_door(datagram, admission.hello);
  if (body_fault != wire::Reject::none) {
    return Failure{Error::bad_frame, wire::reject_name(body_fault)};
  }
  make_printable(admission.hello.kind, agent_kind_bytes_max);
  make_printable(admission.hello.description, agent_description_bytes_max);
  admission.session_epoch = std::max<std::uint32_t>(admission.hello.session_epoch, 1);
  if (admission.hello.agent_id != 0) {
    Status returned = judge_return(admission, guests, identity.key);
    if (!returned.ok()) return returned.failure();
  } else {
    judge_arrival(admission, guests, agent_id_next);
  }
  Status named = judge_name(admission, guests);
  if (!named.ok()) return named.failure();
  Status within = judge_limits(admission, guests, config.node);
  if (!within.ok()) return within.failure();
  return admission;
}

}  // namespace abuzz::node
