#include "bus/topic.hpp"
