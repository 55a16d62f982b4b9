#include "bus/error.hpp"
