#include "tests/model/reference.hpp"

#include <algorithm>

namespace abuzz::testing {

bool Reference::matches(std::string_view pattern, std::string_view topic) {
  const std::size_t pattern_dot = pattern.find('.'), topic_dot = topic.find('.');
  const std::string_view wanted = pattern.substr(0, pattern_dot);
  const bool is_last_wanted = pattern_dot == std::string_view::npos;
  const bool is_last_token = topic_dot == std::string_view::npos;
  if (wanted == ">" && is_last_wanted) return true;
  if (wanted != "*" && wanted != topic.substr(0, topic_dot)) return false;
  if (is_last_wanted || is_last_token) return is_last_wanted && is_last_token;
  return matches(pattern.substr(pattern_dot + 1), topic.substr(topic_dot + 1));
}

Reference::Flow& Reference::join(Source& source, Sink& sink) {
  auto flow = std::make_unique<Flow>();
  flow->source = &source;
  flow->sink = &sink;
  flow->settled = flow->counted = source.count;
  source.flows.push_back(flow.get());
  source.unmatched_from = never;
  sink.flows.push_back(std::move(flow));
  return *sink.flows.back();
}

Reference::Source& Reference::add_source(const std::string& topic, bool is_matched_anyway) {
  sources_.push_back(std::make_unique<Source>());
  Source& source = *sources_.back();
  source.number = ++last_number_;
  source.topic = topic;
  if (is_matched_anyway) source.unmatched_from = never;
  for (auto& sink : sinks_)
    if (!sink->is_ended && matches(sink->pattern, topic)) {
      Flow& flow = join(source, *sink);
      if (sink->is_confirmed && !sink->is_returning) flow.owed_from = 1;
    }
  return source;
}

Reference::Sink& Reference::add_sink(const std::string& pattern, const SubscribeOptions& options,
                                     base::Nanos now) {
  sinks_.push_back(std::make_unique<Sink>());
  Sink& sink = *sinks_.back();
  sink.pattern = pattern;
  sink.options = options;
  sink.progress_at = now;
  for (auto& source : sources_) {
    if (!matches(pattern, source->topic)) continue;
    Flow& flow = join(*source, sink);
    // What is on its way already may come, or not.
    flow.settled = flow.counted = source->first - 1;
    for (std::uint64_t sequence = source->first; sequence <= source->count; ++sequence)
      count(flow, sequence);
  }
  return sink;
}

void Reference::count(Flow& flow, std::uint64_t sequence) {
  Sink& sink = *flow.sink;
  const Message& message = flow.source->at(sequence);
  ++sink.waiting_messages;
  sink.waiting_bytes += bytes_of(message);
  if (sink.waiting_messages > sink.options.queue_messages ||
      sink.waiting_bytes > sink.options.queue_bytes)
    sink.may_drop = true;
  if (sink.options.policy != Policy::latest) return;
  if (++sink.waiting_by_key[{flow.source->topic, message.key}] > sink.options.latest_messages)
    sink.may_drop = true;
}

void Reference::uncount(Flow& flow, std::uint64_t sequence) {
  Sink& sink = *flow.sink;
  for (; flow.counted < sequence; ++flow.counted) {
    if (flow.counted + 1 < flow.source->first) continue;
    const Message& message = flow.source->at(flow.counted + 1);
    if (sink.waiting_messages == 0) continue;
    --sink.waiting_messages;
    sink.waiting_bytes -= bytes_of(message);
    if (sink.options.policy == Policy::latest)
      --sink.waiting_by_key[{flow.source->topic, message.key}];
  }
  if (sink.waiting_messages == 0) sink.may_drop = false;
}

void Reference::publish(Source& source, const Message& message, base::Nanos now) {
  ++source.count;
  source.messages.push_back(message);
  for (Flow* flow : source.flows) {
    if (flow->sink->waiting_messages == 0) flow->sink->progress_at = now;
    count(*flow, source.count);
  }
}

void Reference::confirm(Sink& sink) {
  if (sink.is_confirmed) return;
  sink.is_confirmed = true;
  for (auto& flow : sink.flows) flow->owed_from = flow->source->count + 1;
}

void Reference::end(Sink& sink) {
  sink.is_ended = true;
  for (auto& flow : sink.flows) std::erase(flow->source->flows, flow.get());
}

void Reference::stall_out(Sink& sink, base::Nanos now, base::Nanos slack) {
  note_progress(sink, now, slack);
  if (sink.options.policy != Policy::lossless)
    complain(sink.pattern + " was ended by the node, and holds nobody");
  else if (sink.stood_until + slack < now)
    complain(sink.pattern + " was ended by the node, and did not stand still");
  end(sink);
}

void Reference::note_progress(Sink& sink, base::Nanos now, base::Nanos slack) {
  const base::Nanos limit = std::chrono::nanoseconds(sink.options.stall_limit).count();
  if (sink.waiting_messages > 0 && now - sink.progress_at >= limit - slack) sink.stood_until = now;
  sink.progress_at = now;
}

void Reference::lose_node() {
  for (auto& sink : sinks_) {
    sink->is_returning = true;
    if (sink->options.policy != Policy::lossless || !sink->is_confirmed) sink->is_excused = true;
  }
}

void Reference::return_to_node(Sink& sink) {
  if (!sink.is_returning) return;
  sink.is_returning = false;
  if (!sink.is_confirmed) return;
  for (auto& flow : sink.flows)
    if (flow->owed_from == never) flow->owed_from = flow->source->count + 1;
}

// Whether the messages [from, to] may be missing.
void Reference::miss(Flow& flow, std::uint64_t from, std::uint64_t to, base::Nanos now) {
  const Sink& sink = *flow.sink;
  for (std::uint64_t sequence = std::max(from, flow.source->first); sequence <= to; ++sequence) {
    const Message& message = flow.source->at(sequence);
    ++missed_;
    // The times of a batch end together, with the first of them.
    if (message.expires_at != 0 && now + base::millisecond >= message.expires_at) {
      ++expired_;
      continue;
    }
    if (sink.is_excused || (sink.options.policy != Policy::lossless && sink.may_drop)) continue;
    complain(name(flow, sequence) +
             (message.expires_at != 0 ? " was dropped before its time is over" : " was lost") +
             ", policy " + std::to_string(static_cast<int>(sink.options.policy)));
    return;
  }
}

void Reference::handle(Sink& sink, Source* source, const Sight& sight, base::Nanos now) {
  if (source == nullptr) return complain(sink.pattern + " got a message of nobody");
  const auto found = std::find_if(sink.flows.begin(), sink.flows.end(),
                                  [&](const auto& item) { return item->source == source; });
  if (found == sink.flows.end() || sight.topic != source->topic)
    return complain(sink.pattern + " got a message of " + source->topic + " as " +
                    std::string(sight.topic));
  Flow& flow = **found;
  const std::uint64_t sequence = sight.sequence;
  if (sink.is_ended) return complain(name(flow, sequence) + " came after its end");
  if (sequence <= flow.last) return complain(name(flow, sequence) + " came twice, or too late");
  if (sequence > source->count) return complain(name(flow, sequence) + " was never published");
  if (sequence <= flow.settled && sequence < source->first)
    return complain(name(flow, sequence) + " came when nothing was under way");
  Message& message = source->at(sequence);
  if (!sight.is_payload_right || sight.bytes != message.bytes || sight.key != message.key)
    return complain(name(flow, sequence) + " is not what was published");
  if (message.expires_at != 0 && now > message.expires_at + lateness_max)
    complain(name(flow, sequence) + " was handled " + std::to_string(now - message.expires_at) +
             " ns after its time was over");
  // From the first one on it is in the stream: no more holes.
  const std::uint64_t from = flow.last > 0 ? flow.last + 1 : flow.owed_from;
  if (from != never) miss(flow, std::max(from, flow.settled + 1), sequence - 1, now);
  if (flow.last > 0) sink.gaps += sequence - flow.last - 1;
  flow.last = flow.settled = sequence;
  ++flow.handled;
  ++sink.handled;
  ++handled_;
  if (!message.is_handled) ++source->handled;
  message.is_handled = true;
  note_progress(sink, now, lateness_max);
  uncount(flow, sequence);
}

void Reference::rest(base::Nanos now) {
  for (auto& sink : sinks_) {
    if (sink->is_ended) continue;
    for (auto& flow : sink->flows) {
      const std::uint64_t from = flow->last > 0 ? flow->last + 1 : flow->owed_from;
      if (from != never && !flow->source->is_torn && !sink->is_dying)
        miss(*flow, std::max(from, flow->settled + 1), flow->source->count, now);
      flow->settled = flow->counted = flow->source->count;
    }
    std::erase_if(sink->flows, [](const auto& flow) { return flow->source->is_closed; });
    sink->waiting_messages = sink->waiting_bytes = 0;
    sink->waiting_by_key.clear();
    sink->may_drop = sink->is_excused = false;
    sink->progress_at = now;
  }
  // Kept: a handler that runs after its end would name it.
  for (auto& sink : sinks_)
    if (sink->is_ended) ended_.push_back(std::move(sink)), ended_.back()->flows.clear();
  std::erase(sinks_, nullptr);
  std::erase_if(sources_, [](const auto& source) { return source->is_closed; });
  for (auto& source : sources_) {
    source->messages.clear();
    source->first = source->count + 1;
    const bool is_matched = !source->flows.empty();
    source->unmatched_from = is_matched ? never : source->count + 1;
  }
}

}  // namespace abuzz::testing
