#!/bin/bash
set -e
openstack stack list\
--long
