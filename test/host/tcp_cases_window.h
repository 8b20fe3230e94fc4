#include "tcp_case.h"
