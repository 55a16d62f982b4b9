#include "tools/path.hpp"

namespace abuzz::tools {

std::string_view cause_name(Cause cause) noexcept {
  switch (cause) {
    case Cause::none:
      return "none";
    case Cause::node_stopped:
      return "node_stopped";
    case Cause::no_publisher:
      return "no_publisher";
    case Cause::publisher_stopped:
      return "publisher_stopped";
    case Cause::no_match:
      return "no_match";
    case Cause::only_responders:
      return "only_responders";
    case Cause::near_miss:
      return "near_miss";
    case Cause::other_directory:
      return "other_directory";
    case Cause::reserved_topic:
      return "reserved_topic";
    case Cause::subscriber_gone:
      return "subscriber_gone";
    case Cause::stalled_out:
      return "stalled_out";
    case Cause::session_stalled:
      return "session_stalled";
    case Cause::subscriber_stopped:
      return "subscriber_stopped";
    case Cause::lossless_hold:
      return "lossless_hold";
    case Cause::queue_full:
      return "queue_full";
    case Cause::conflated:
      return "conflated";
    case Cause::slow_handler:
      return "slow_handler";
    case Cause::expired:
      return "expired";
    case Cause::refused:
      return "refused";
    case Cause::dead_lettered:
      return "dead_lettered";
    case Cause::no_member:
      return "no_member";
  }
  return "unknown";
}

}  // namespace abuzz::tools
